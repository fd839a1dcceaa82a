// The front: evaluated networks behind, predictions with intervals, finetuned networks, the reference.
function frontRange(axis) {
  const x = [...run.front, ...run.models, ...anchors, ...baselines].flatMap((n) => [axis.of(n), axis.searched(n)]).filter(Number.isFinite);
  const high = Math.max(...x), low = Math.min(...x);
  return low > 0.6 * high ? padded(x) : [0, high * 1.06];
}

// Wide intervals are cut off: they must not flatten what there is to see.
const frontAccuracies = () => [...run.front, ...baselines].map((n) => n.predicted_accuracy).concat([...run.models, ...anchors].map((m) => m.accuracy));

function drawFront(host, width) {
  const { axis } = state;
  if (![...run.front, ...anchors].some((p) => Number.isFinite(axis.of(p)))) {
    host.replaceChildren(h("p", { class: "note" }, "No network is on the front yet."));
    return;
  }
  const height = Math.round(Math.min(560, Math.max(320, width * 0.72)));
  const f = frame(host, width, {
    height, x: frontRange(axis), ...accuracyAxis(frontAccuracies(), height), xLabel: axis.label, xFormat: (v) => (axis.id === "macs" ? short(v) : String(v)),
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
  drawChanges(f, axis);
  for (const p of front) f.svg.append(frontMark(f, axis, p));
  f.svg.append(...anchors.map(() => referenceMark(f, axis)), ...run.models.map((m) => modelMark(f, axis, m)));
  names(f, axis, [...anchors, ...run.models], front);
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
  const cost = axis.format(axis.of(p)) + (axis.device ? " in the search" : "");
  const lines = [p.architecture, `predicted ${percent(p.predicted_accuracy)} (${span(p.accuracy_interval)})`, cost];
  return mark(f.X(axis.of(p)), f.Y(p.predicted_accuracy), {
    r: 4.5, kind: "front", network: p.architecture, tip: lines,
    label: `Network ${p.architecture}, predicted accuracy ${percent(p.predicted_accuracy)}, ${cost}`,
  });
}

// From what the search knew of a network to what became of it; of the reference, whose file is the same, only the device changed.
function drawChanges(f, axis) {
  const line = (n, known) => {
    if (Number.isFinite(axis.searched(n))) f.plot.append(s("line", { class: "change", x1: f.X(axis.searched(n)), y1: f.Y(known), x2: f.X(axis.of(n)), y2: f.Y(n.accuracy) }));
  };
  run.models.forEach((m) => line(m, m.predicted_accuracy));
  for (const reference of anchors) {
    line(reference, reference.accuracy);
    if (Number.isFinite(axis.searched(reference))) f.plot.append(s("path", { class: "before", d: SHAPES.star(5), transform: `translate(${f.X(axis.searched(reference))},${f.Y(reference.accuracy)})` }));
  }
}

const again = (axis) => (axis.device ? " measured again" : "");

function modelMark(f, axis, m) {
  const cost = axis.format(axis.of(m)) + again(axis);
  return mark(f.X(axis.of(m)), f.Y(m.accuracy), {
    shape: "diamond", r: 6, kind: "model", network: m.architecture, tip: [m.name, `finetuned, test ${percent(m.accuracy)}`, cost],
    label: `${m.name}, finetuned, test accuracy ${percent(m.accuracy)}, ${cost}`,
  });
}

function referenceMark(f, axis) {
  const cost = axis.format(axis.of(run.reference)) + again(axis), accuracy = percent(run.reference.accuracy);
  return mark(f.X(axis.of(run.reference)), f.Y(run.reference.accuracy), {
    shape: "star", r: 6, kind: "reference", network: "reference", tip: ["reference", `test ${accuracy}`, cost],
    label: `The reference, test accuracy ${accuracy}, ${cost}`,
  });
}

// Names beside their marks, each at the first of eight places that covers neither a mark nor another name.
function names(f, axis, networks, points) {
  const box = (x, y, r) => ({ left: x - r, width: 2 * r, top: y - r, height: 2 * r });
  const taken = [...networks.map((m) => box(f.X(axis.of(m)), f.Y(m.accuracy), 9)), ...points.map((p) => box(f.X(axis.of(p)), f.Y(p.predicted_accuracy), 5))];
  const free = (b) => b.left >= f.left && b.left + b.width <= f.right + 8 && b.top >= 0 &&
    taken.every((o) => b.left > o.left + o.width || o.left > b.left + b.width || b.top > o.top + o.height || o.top > b.top + b.height);
  for (const m of networks) {
    const x = f.X(axis.of(m)), y = f.Y(m.accuracy), width = 7.4 * m.name.length;
    const places = [10, 20].flatMap((d) => [[12, -d, "start"], [-12, -d, "end"], [12, d + 10, "start"], [-12, d + 10, "end"]]);
    const found = places.map(([dx, dy, anchor]) => ({ dx, dy, anchor, width, height: 14, left: x + dx - (anchor === "end" ? width : 0), top: y + dy - 12 })).find(free);
    if (!found) continue;
    taken.push(found);
    f.svg.append(s("text", { class: "name", x: x + found.dx, y: y + found.dy, "text-anchor": found.anchor, "aria-hidden": "true" }, m.name));
  }
}

// The same option in every block, as the reference would be scaled uniformly: what one gets without a search.
function drawBaselines(f, axis) {
  for (const b of baselines.filter((n) => Number.isFinite(axis.of(n)))) {
    const told = [`predicted ${percent(b.predicted_accuracy)}, not finetuned`, axis.format(axis.of(b)) + (axis.device ? " in the search" : "")];
    const option = run.labels[b.option]?.label ?? "";
    f.svg.append(mark(f.X(axis.of(b)), f.Y(b.predicted_accuracy), {
      shape: "square", r: 4, kind: "baseline", network: b.name, label: `${b.name}, the same option in every block, ${told.join(", ")}`,
      tip: [b.name, `${option} in every block`, ...told],
    }));
  }
}

function frontLegend() {
  const twice = anchors.some((reference) => reference.searched_latency_ms);
  legend("front-legend", [
    ["front", "circle", "front: as measured in the search, accuracy predicted"], ["", "bar", intervalTitle],
    ...(run.models.length ? [["model", "diamond", "finetuned and measured again, test accuracy"]] : []),
    ...anchors.map(() => ["reference", "star", "reference, measured again, test accuracy"]),
    ...(twice ? [["change", "dash", "from the search to the second measurement"]] : []),
    ...(baselines.length ? [["baseline", "square", "same option in every block: predicted, not finetuned"]] : []),
    ...(run.evaluations.total ? [["cloud", "circle", `${whole(run.evaluations.total)} evaluated`]] : []),
  ]);
}
