// Hypervolume by generation: when it is flat, searching on finds nothing more.
function drawSearch(host, width) {
  const values = run.search.hypervolume;
  const f = frame(host, width, {
    height: Math.round(Math.min(420, Math.max(280, width * 0.8))), x: [1, Math.max(2, values.length)], y: padded(values, 0.1), xLabel: "generation", yLabel: "hypervolume",
    xFormat: (v) => (Number.isInteger(v) ? String(v) : ""), label: "Hypervolume of the front by generation",
  });
  f.plot.append(s("path", { class: "line", d: `M${values.map((v, i) => `${f.X(i + 1)},${f.Y(v)}`).join("L")}` }));
  values.forEach((v, i) => f.svg.append(s("circle", { cx: f.X(i + 1), cy: f.Y(v), r: 3.5, fill: "var(--front)" }, s("title", null, `generation ${i + 1}: ${v.toFixed(4)}`))));
}

function searchNote() {
  const { evaluations, measured } = run.search;
  at("search-note").textContent = `${whole(evaluations)} networks evaluated, ${whole(measured)} measured on ${devices.length === 1 ? devices[0] : `${devices.length} devices`}, ` +
    `out of ${whole(run.space.num_architectures)}. Hypervolume is relative to the ranges of the whole space.`;
}
