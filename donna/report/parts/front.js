// The front: evaluated networks behind, predictions with intervals, finetuned networks, the reference.
function frontRange(axis) {
  const shown = [...run.front, ...run.models, ...anchors, ...baselines];
  const x = shown.map(axis.of).filter(Number.isFinite);
  const high = Math.max(...x), low = Math.min(...x);
  const y = [...run.front.map((p) => p.predicted_accuracy), ...[...run.models, ...anchors].map((m) => m.accuracy),
    ...baselines.map((b) => b.predicted_accuracy)];
  // Wide intervals are cut off: they must not flatten what there is to see.
  const [bottom, top] = padded(y, 0.1);
  return { x: low > 0.6 * high ? padded(x) : [0, high * 1.06], y: [Math.max(0, bottom), Math.min(1.005, top)] };
}

function drawFront(host, width) {
  const { axis } = state;
  if (![...run.front, ...anchors].some((p) => Number.isFinite(axis.of(p)))) {
    host.replaceChildren(h("p", { class: "note" }, "No network is on the front yet."));
    return;
  }
  const height = Math.round(Math.min(560, Math.max(320, width * 0.72)));
  const { x, y } = frontRange(axis);
  const f = frame(host, width, {
    height, x, y, xLabel: axis.label, yLabel: "top-1 accuracy", xFormat: (v) => (axis.id === "macs" ? short(v) : String(v)),
    yFormat: percentTick, label: `Accuracy against ${axis.label}`,
  });
  drawCloud(f, axis);
  for (const reference of anchors) {
    const x = f.X(axis.of(reference)), y = f.Y(reference.accuracy);
    f.plot.append(s("line", { class: "rule", x1: f.left, x2: f.right, y1: y, y2: y }), s("line", { class: "rule", x1: x, x2: x, y1: f.top, y2: f.bottom }));
  }
  drawBaselines(f, axis);
  const front = run.front.filter((p) => Number.isFinite(axis.of(p))).sort((a, b) => axis.of(a) - axis.of(b));
  const stair = front.map((p, i) => `${i ? `H${f.X(axis.of(p))}V` : `M${f.X(axis.of(p))},`}${f.Y(p.predicted_accuracy)}`).join("");
  for (const p of front) {
    f.plot.append(s("line", { class: "interval", x1: f.X(axis.of(p)), x2: f.X(axis.of(p)), y1: f.Y(p.accuracy_interval[0]), y2: f.Y(p.accuracy_interval[1]) }));
  }
  if (axis.id !== "macs") f.plot.append(s("path", { class: "stair", d: stair }));
  for (const p of front) f.svg.append(frontMark(f, axis, p));
  f.svg.append(...anchors.map(() => referenceMark(f, axis)), ...run.models.map((m) => modelMark(f, axis, m)));
  names(f, axis, [...anchors, ...run.models]);
  keyboard(f.svg);
  update({});
}

function drawCloud(f, axis) {
  const e = run.evaluations;
  if (axis.id === "macs" || !e.latency_ms[axis.id]) return;
  const cloud = s("g", { class: "cloud", "aria-hidden": "true" });
  e.latency_ms[axis.id].forEach((cost, i) => {
    if (cost !== null) cloud.append(s("circle", { cx: f.X(cost), cy: f.Y(e.accuracy[i]), r: 2 }));
  });
  f.plot.append(cloud);
}

function frontMark(f, axis, p) {
  const cost = axis.format(axis.of(p));
  const lines = [p.architecture, `predicted ${percent(p.predicted_accuracy)} (${span(p.accuracy_interval)})`, cost];
  return mark(f.X(axis.of(p)), f.Y(p.predicted_accuracy), {
    r: 4.5, kind: "front", network: p.architecture, tip: lines,
    label: `Network ${p.architecture}, predicted accuracy ${percent(p.predicted_accuracy)}, ${cost}`,
  });
}

function modelMark(f, axis, m) {
  const cost = axis.format(axis.of(m));
  return mark(f.X(axis.of(m)), f.Y(m.accuracy), {
    shape: "diamond", r: 6, kind: "model", network: m.architecture, tip: [m.name, `finetuned, test ${percent(m.accuracy)}`, cost],
    label: `${m.name}, finetuned, test accuracy ${percent(m.accuracy)}, ${cost}`,
  });
}

function referenceMark(f, axis) {
  const cost = axis.format(axis.of(run.reference)), accuracy = percent(run.reference.accuracy);
  return mark(f.X(axis.of(run.reference)), f.Y(run.reference.accuracy), {
    shape: "star", r: 6, kind: "reference", network: "reference", tip: ["reference", `test ${accuracy}`, cost],
    label: `The reference, test accuracy ${accuracy}, ${cost}`,
  });
}

// Names beside their marks, each at the first of four places that covers neither a mark nor another name.
function names(f, axis, networks) {
  const taken = networks.map((m) => ({ left: f.X(axis.of(m)) - 9, width: 18, top: f.Y(m.accuracy) - 9, height: 18 }));
  const free = (b) => b.left >= f.left && b.left + b.width <= f.right + 8 && b.top >= 0 &&
    taken.every((o) => b.left > o.left + o.width || o.left > b.left + b.width || b.top > o.top + o.height || o.top > b.top + b.height);
  for (const m of networks) {
    const x = f.X(axis.of(m)), y = f.Y(m.accuracy), width = 7.4 * m.name.length;
    const places = [[12, -10, "start"], [-12, -10, "end"], [12, 20, "start"], [-12, 20, "end"]];
    const found = places.map(([dx, dy, anchor]) => ({ dx, dy, anchor, width, height: 14, left: x + dx - (anchor === "end" ? width : 0), top: y + dy - 12 })).find(free);
    if (!found) continue;
    taken.push(found);
    f.svg.append(s("text", { class: "name", x: x + found.dx, y: y + found.dy, "text-anchor": found.anchor, "aria-hidden": "true" }, m.name));
  }
}

// The same option in every block, as the reference would be scaled uniformly: what one gets without a search.
function drawBaselines(f, axis) {
  const known = baselines.filter((b) => Number.isFinite(axis.of(b))).sort((a, b) => axis.of(a) - axis.of(b));
  if (!known.length) return;
  f.plot.append(s("path", { class: "baseline-line", d: `M${known.map((b) => `${f.X(axis.of(b))},${f.Y(b.predicted_accuracy)}`).join("L")}` }));
  for (const b of known) {
    const told = [`predicted ${percent(b.predicted_accuracy)}`, axis.format(axis.of(b))], option = run.labels[b.option]?.label ?? "";
    f.svg.append(mark(f.X(axis.of(b)), f.Y(b.predicted_accuracy), {
      r: 4, kind: "baseline", network: b.name, label: `${b.name}, the same option in every block, ${told.join(", ")}`, tip: [b.name, `${option} in every block`, ...told],
    }));
  }
}

function frontLegend() {
  legend("front-legend", [
    ["front", "circle", "front, accuracy predicted"], ["", "bar", "90 % interval"],
    ...(run.models.length ? [["model", "diamond", "finetuned, test accuracy"]] : []),
    ...anchors.map(() => ["reference", "star", "reference, test accuracy"]),
    ...(baselines.length ? [["baseline", "circle", "same option in every block, predicted"]] : []),
    ...(run.evaluations.total ? [["cloud", "circle", `${whole(run.evaluations.total)} evaluated`]] : []),
  ]);
}

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
    at("found").replaceChildren(...sentence.split(" ").flatMap((word) => [h("span", { class: "word" }, word), " "]));
  }
  at("tabs").replaceChildren(...tabs);
  choose(axes[0]);
}
