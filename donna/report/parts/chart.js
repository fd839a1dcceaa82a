// Axes, grid and marks of a picture; scales are functions from values to pixels.
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = size * ([1, 2, 2.5, 5].find((m) => m * size >= raw) ?? 10);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

function padded(values, share = 0.06) {
  const known = values.filter(Number.isFinite);
  const low = Math.min(...known), high = Math.max(...known), pad = (high - low || Math.abs(high) || 1) * share;
  return [low - pad, high + pad];
}

function frame(host, width, { height, x, y, yOf = Number, yTicks, xLabel, yLabel, xFormat = String, yFormat = String, label }) {
  const left = 52, right = 14, top = 22, bottom = 40;
  const X = scale(...x, left, width - right), linear = scale(yOf(y[0]), yOf(y[1]), height - bottom, top), Y = (value) => linear(yOf(value));
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "group", "aria-label": label });
  const clip = `clip-${host.id}`;
  svg.append(s("clipPath", { id: clip }, s("rect", { x: left, y: top - 8, width: width - left - right + 8, height: height - top - bottom + 8 })));
  for (const value of yTicks ?? ticks(...y, height / 60)) {
    svg.append(s("line", { class: "grid", x1: left, x2: width - right, y1: Y(value), y2: Y(value) }),
      s("text", { x: left - 8, y: Y(value) + 4, "text-anchor": "end" }, yFormat(value)));
  }
  for (const value of ticks(...x, width / 90)) {
    svg.append(s("line", { class: "grid", x1: X(value), x2: X(value), y1: top, y2: height - bottom }),
      s("text", { x: X(value), y: height - bottom + 17, "text-anchor": "middle" }, xFormat(value)));
  }
  svg.append(s("text", { class: "title", x: width - right, y: height - 4, "text-anchor": "end" }, xLabel),
    s("text", { class: "title", x: 2, y: 10 }, yLabel));
  const plot = s("g", { "clip-path": `url(#${clip})` });
  svg.append(plot);
  host.replaceChildren(svg);
  return { svg, plot, X, Y, left, right: width - right, top, bottom: height - bottom };
}

const SHAPES = {
  circle: (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
  diamond: (r) => `M0,${-r * 1.35}L${r * 1.35},0L0,${r * 1.35}L${-r * 1.35},0z`,
  square: (r) => `M${-r * 0.85},${-r * 0.85}h${r * 1.7}v${r * 1.7}h${-r * 1.7}z`,
  star: (r) => `M${Array.from({ length: 10 }, (_, i) => {
    const a = (i * Math.PI) / 5, q = i % 2 ? r * 0.72 : r * 1.6;
    return `${(q * Math.sin(a)).toFixed(2)},${(-q * Math.cos(a)).toFixed(2)}`;
  }).join("L")}z`,
};

// A mark that can be hovered, clicked and reached by keyboard.
function mark(x, y, { shape = "circle", r = 5, kind = "", network, label, tip }) {
  const node = s("g", {
    class: `mark ${kind}`, transform: `translate(${x},${y})`, tabindex: -1, role: "button", "aria-label": label,
    "data-network": network, "aria-pressed": "false",
    onclick: () => select(network), onpointerenter: (event) => showTip(event, tip, network), onpointerleave: hideTip,
    onfocus: () => { if (node.matches(":focus-visible")) select(network); },
  }, s("circle", { r: Math.max(12, r + 6), fill: "transparent" }), s("path", { class: "halo", d: SHAPES[shape](r + 4) }),
  s("path", { class: "dot", d: SHAPES[shape](r) }));
  return node;
}

// One stop for Tab; the arrow keys go from mark to mark, in the order of their place from left to right.
function keyboard(svg) {
  const place = (node) => Number(/translate\(([^,]+)/.exec(node.getAttribute("transform"))[1]);
  const marks = [...svg.querySelectorAll(".mark")].sort((a, b) => place(a) - place(b));
  const start = marks.find((node) => node.dataset.network === state.selected) ?? marks[0];
  start?.setAttribute("tabindex", 0);
  svg.addEventListener("keydown", (event) => {
    const here = marks.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -marks.length, End: marks.length }[event.key];
    if (event.key === "Enter" || event.key === " ") { select(marks[here]?.dataset.network); event.preventDefault(); }
    if (step === undefined || here < 0) return;
    event.preventDefault();
    const next = marks[Math.min(marks.length - 1, Math.max(0, here + step))];
    marks.forEach((node) => node.setAttribute("tabindex", node === next ? 0 : -1));
    next.focus();
    select(next.dataset.network);
  });
}

// What a mark stands for, with its blocks in small where there are any.
function showTip(event, lines, network) {
  const tip = at("tip");
  tip.replaceChildren(h("b", null, lines[0]), ...lines.slice(1).flatMap((line) => [line, h("br")]), network ? strip(network) : "");
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(innerWidth - box.width - 8, event.clientX + 14))}px`;
  tip.style.top = `${event.clientY + box.height + 20 > innerHeight ? event.clientY - box.height - 12 : event.clientY + 14}px`;
}

function hideTip() { at("tip").hidden = true; }

function legend(id, items) {
  at(id).replaceChildren(...items.map(([kind, shape, text]) => h("span", null,
    s("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" },
      shape === "bar" ? s("line", { class: "interval", y1: -6, y2: 6 })
        : shape === "dash" ? s("line", { class: kind, x1: -7, x2: 7 })
        : kind === "cloud" ? s("g", { class: "cloud" }, s("circle", { r: 3 }))
        : s("g", { class: `mark ${kind}` }, s("path", { class: "dot", d: SHAPES[shape](4.2) }))), text)));
}

// Every picture, table row and cell that shows the selected network says so.
changed(() => {
  for (const node of document.querySelectorAll("[data-network]")) {
    const on = node.dataset.network === state.selected;
    node.classList.toggle("on", on);
    if (node.hasAttribute("aria-pressed")) node.setAttribute("aria-pressed", on);
    if (node.tagName === "TR") node.setAttribute("aria-selected", on);
  }
});
