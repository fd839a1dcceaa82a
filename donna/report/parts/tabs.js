// Tabs as the WAI-ARIA pattern has them: arrow keys move, one stop for Tab.
function drawTabs() {
  const tabs = axes.map((axis) => h("button", {
    role: "tab", id: `tab-${axis.id}`, type: "button", "aria-controls": "front-panel", onclick: () => choose(axis),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -axes.indexOf(axis), End: axes.length - 1 - axes.indexOf(axis) }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = (axes.indexOf(axis) + step + axes.length) % axes.length;
      choose(axes[next]);
      tabs[next].focus();
    },
  }, axis.title));
  function choose(axis) {
    update({ axis });
    tabs.forEach((tab, i) => { tab.setAttribute("aria-selected", axes[i] === axis); tab.tabIndex = axes[i] === axis ? 0 : -1; });
    at("front-panel").setAttribute("aria-labelledby", `tab-${axis.id}`);
    drawFront(at("front-chart"), at("front-chart").clientWidth);
    const sentence = run.found[axis.id] ?? run.found[devices[0]] ?? run.headline ?? `${run.front.length} networks on the front`;
    at("front-again").textContent = run.again[axis.id] ?? "";
    at("found").replaceChildren(...sentence.split(" ").flatMap((word) => [h("span", { class: "word" }, word), " "]));
  }
  at("tabs").replaceChildren(...tabs);
  choose(axes[0]);
}
