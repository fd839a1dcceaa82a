// Blocks as pictures, their layers drawn from their parameters: a whole network with its figures, or the blocks alone.
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

// The blocks alone, side by side.
function strip(network) {
  const choices = network.split("-").map(Number);
  const pictures = blocks.map((block, n) => {
    const option = run.labels[block.options[choices[n]]?.option];
    return option ? blockPicture(option.family, option.parameters) : network === "reference" ? blockPicture("reference", {}) : null;
  });
  return h("div", { class: "strip" }, pictures);
}
