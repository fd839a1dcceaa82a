// The selected network as a picture: one row for each block, its layers drawn from its parameters.
const PALETTE = ["#3f74e8", "#1f9d87", "#c2703d", "#8a63d2", "#c04a78", "#5b8c2a"];
const families = [...new Set(Object.values(run.labels).map((label) => label.family))].filter((family) => family !== "skip");
const colour = (family) => (family === "reference" ? "var(--reference)" : PALETTE[families.indexOf(family) % PALETTE.length] ?? "var(--cloud)");

// Layers from left to right: as many as the depth, as high as the expansion, dotted with the kernel.
function blockPicture(family, parameters) {
  const wire = s("path", { class: "wire", d: "M0,23H92" });
  const svg = s("svg", { viewBox: "0 0 92 46", "aria-hidden": "true" }, wire);
  if (family === "skip") return svg;
  const depth = Math.min(6, parameters.depth ?? 1), gap = 3, width = Math.min(22, (76 - gap * (depth - 1)) / depth);
  const widening = parameters.expansion ?? parameters.mlp_ratio ?? parameters.width ?? 2;
  const height = Math.min(34, 14 + 3.4 * Number(widening)), kernel = Math.min(7, parameters.kernel ?? 0);
  const start = 46 - (depth * (width + gap) - gap) / 2;
  for (let i = 0; i < depth; i++) {
    const x = start + i * (width + gap);
    svg.append(s("rect", { class: "layer", x, y: 23 - height / 2, width, height, rx: 3, fill: colour(family) }));
    const step = Math.min(3, (width - 3) / Math.max(1, kernel));
    for (let a = 0; a < kernel * kernel; a++) {
      svg.append(s("rect", {
        class: "kernel", width: step * 0.62, height: step * 0.62,
        x: x + width / 2 + ((a % kernel) - kernel / 2 + 0.19) * step, y: 23 + (Math.floor(a / kernel) - kernel / 2 + 0.19) * step,
      }));
    }
  }
  if (parameters.attention && parameters.attention !== "none") {
    const end = start + depth * (width + gap) - gap;
    svg.append(s("path", { class: "attention", stroke: colour(family), d: `M${start + 4},${23 - height / 2}C${start + 4},1 ${end - 4},1 ${end - 4},${23 - height / 2}` }));
  }
  return svg;
}

const fixedPicture = () => s("svg", { viewBox: "0 0 92 46", "aria-hidden": "true" }, s("path", { class: "wire", d: "M0,23H92" }),
  s("rect", { class: "fixed", x: 28, y: 11, width: 36, height: 24, rx: 4 }));

function stack(network) {
  const fixedPart = (title, part) => part && h("li", null, fixedPicture(), h("div", null, h("b", null, title), h("p", null, `fixed, ${short(part.macs)} multiply-adds`)));
  const choices = network === "reference" ? null : network.split("-").map(Number);
  const rows = blocks.map((block, n) => {
    if (!choices) {
      return h("li", null, blockPicture("reference", {}), h("div", null, h("b", null, block.name), h("p", null, `the reference’s own, to ${block.output_shape.join(" × ")}`)));
    }
    const option = block.options[choices[n]];
    if (!option) return null;
    const { family, parameters, label } = run.labels[option.option];
    const title = h("b", null, `${block.name}: ${words(family)}`);
    const figures = `NSR ${fixed(option.quality)} · ${short(option.parameters)} parameters · ${short(option.macs)} multiply-adds`;
    return h("li", { title: option.option }, blockPicture(family, parameters), h("div", null, title, label === words(family) ? null : h("p", null, label), h("p", null, figures)));
  });
  return h("ol", { class: "stack" }, fixedPart("stem", run.library?.stem), rows, fixedPart("head", run.library?.head));
}

function against(model, point) {
  const reference = run.reference, cost = state.axis.of(model ?? point), base = reference && state.axis.of(reference);
  if (!reference || !Number.isFinite(cost) || !Number.isFinite(base)) return null;
  const gained = model ? `${points(model.accuracy - reference.accuracy)} on test` : `${percent(point.predicted_accuracy)} predicted`;
  const ratio = state.axis.id === "macs" ? `${(cost / base).toFixed(2)}× the multiply-adds` : times(model && state.axis.id !== "macs" ? speedup(model, state.axis.id) : base / cost);
  return h("p", { class: "against" }, `${ratio}, ${gained}`);
}

function drawPicture() {
  const network = state.selected;
  if (!network) return;
  const model = network === "reference" ? null : modelOf.get(network), point = pointOf.get(network);
  const baseline = baselines.find((b) => b.name === network);
  const source = network === "reference" ? run.reference : model ?? point ?? baseline ?? known(network);
  const rows = [];
  if (source.accuracy !== undefined) rows.push(["accuracy, test", percent(source.accuracy)]);
  if (source.finetuned !== undefined) rows.push(["accuracy, finetuned shortly", percent(source.finetuned)]);
  if (point ?? source.predicted_accuracy !== undefined) {
    const p = point ?? source, interval = p.accuracy_interval;
    rows.push(["accuracy, predicted", percent(p.predicted_accuracy)]);
    if (interval) rows.push(["its 90 % interval", span(interval)]);
  }
  for (const [device, latency] of Object.entries(source.latency_ms ?? {})) {
    rows.push([`latency on ${device}`, ms(latency) + (source.unstable_devices?.includes(device) ? ", unstable" : "")]);
  }
  if (source.parameters) rows.push(["parameters", short(source.parameters)], ["multiply-adds", short(source.macs)]);
  if (source.size_bytes ?? source.model_bytes) rows.push(["size", bytes(source.size_bytes ?? source.model_bytes)]);
  at("picture").replaceChildren(
    h("h3", null, network === "reference" ? "The reference" : model ? model.name : network),
    model ? h("p", { class: "small", style: "margin:0" }, network) : "",
    (network !== "reference" && (model || point) && against(model, point)) || "",
    h("dl", null, rows.flatMap(([term, value]) => [h("dt", null, term), h("dd", null, value)])),
    blocks.length ? stack(network) : "",
    point?.extrapolated ? h("p", { class: "small" }, "A block’s quality lies outside what the predictor has seen: the prediction is an extrapolation.") : "");
}

// A sample of the predictor that is not on the front.
function known(network) {
  const found = [...(run.predictor?.samples ?? []), ...(run.predictor?.holdout ?? [])].find((sample) => sample.architecture === network);
  return found ? { finetuned: found.accuracy, predicted_accuracy: found.predicted_accuracy, accuracy_interval: found.interval } : {};
}

changed((change) => { if ("selected" in change || "axis" in change) drawPicture(); });
