// Quality of every option of every block, as a table that can be sorted by any block.
const qualities = blocks.flatMap((block) => block.options.map((option) => option.quality)).filter(Number.isFinite);
const best = Math.max(1e-3, Math.min(0.25, ...qualities));

// 0 for an option that is no better than channel means, 1 for the best of the library (or a quarter, if none is
// that good); equal ratios are equal steps.
const goodness = (nsr) => Math.min(1, Math.max(0, Math.log(nsr) / Math.log(best)));

function cell(block, n, text) {
  const choice = block.options.findIndex((option) => option.option === text);
  if (choice < 0) return h("td", { "aria-label": "not an option" }, "");
  const option = block.options[choice], good = Math.round(100 * goodness(option.quality));
  return h("td", {
    "data-block": n, "data-choice": choice, title: `${block.name}: ${text}\nNSR ${option.quality.toFixed(4)}, ${whole(option.parameters)} parameters, ${whole(option.macs)} multiply-adds`,
    style: `background: color-mix(in oklab, var(--good) ${good}%, var(--bad)); color: ${good > 72 ? "var(--card)" : "var(--ink)"}`,
  }, option.quality.toFixed(option.quality < 0.1 ? 3 : 2));
}

// Whether the ranking of a block's options still changed between the last two points of their training.
function settling({ settled, rank_correlation: agreement }) {
  if (settled === undefined || settled === null) return "";
  const told = `Spearman's rank correlation of the options between the last two points of the training: ${fixed(agreement)}`;
  return h("small", { title: told, class: settled ? null : "unsettled" }, `${settled ? "settled" : "not settled"}, ${fixed(agreement)}`);
}

function drawHeat(sortBy = null) {
  const texts = [...new Set(blocks.flatMap((block) => block.options.map((option) => option.option)))];
  const quality = (text, n) => blocks[n].options.find((option) => option.option === text)?.quality ?? Infinity;
  const rows = sortBy === null ? texts : [...texts].sort((a, b) => quality(a, sortBy) - quality(b, sortBy));
  const body = [];
  let family = null;
  for (const text of rows) {
    const label = run.labels[text];
    if (sortBy === null && label.family !== family && label.label !== words(label.family)) {
      body.push(h("tr", { class: "family" }, h("th", { scope: "rowgroup", colspan: blocks.length + 1 }, words(label.family))));
    }
    family = label.family;
    body.push(h("tr", null, h("th", { scope: "row" }, label.label), blocks.map((block, n) => cell(block, n, text))));
  }
  const heads = blocks.map((block, n) => h("th", { scope: "col", "aria-sort": sortBy === n ? "ascending" : "none" },
    h("button", { type: "button", "aria-pressed": String(sortBy === n), onclick: () => drawHeat(sortBy === n ? null : n) }, block.name), settling(block)));
  at("blocks-table").replaceChildren(h("table", { class: "heat" }, h("thead", null, h("tr", null, h("th", { scope: "col" }, "option"), heads)), h("tbody", null, body)));
  outline();
}

function outline() {
  const choices = state.selected && state.selected !== "reference" ? state.selected.split("-") : [];
  for (const node of document.querySelectorAll("td[data-block]")) node.classList.toggle("on", choices[node.dataset.block] === node.dataset.choice);
}

changed((change) => { if ("selected" in change) outline(); });
