// Models, costs, times, latency tables, versions: what is best read as a table.
function drawModels() {
  const quantised = (m) => (m.int8 ? [{ ...m, ...m.int8, name: `${m.name}, 8 bits` }] : []);
  const rows = [run.reference, ...run.models].flatMap((m) => [m, ...quantised(m)]), base = run.reference;
  const mark = (row) => (row.unstable_devices ?? []);
  at("models-note").hidden = !rows.some((m) => mark(m).length);
  at("models-again").hidden = !run.again.length;
  at("models-again").textContent = run.again.join(" ");
  at("models-table").replaceChildren(table([
    { title: "network", of: (m) => h("button", { class: "link", type: "button", onclick: () => select(m.architecture ?? "reference") }, m.name) },
    { title: "accuracy", number: true, of: (m) => `${(100 * m.accuracy).toFixed(1)} ± ${percent(error(m.accuracy, m.num_samples))}` },
    ...devices.flatMap((d) => [
      { title: `on ${d}`, number: true, of: (m) => ms(m.latency_ms[d]) + (mark(m).includes(d) ? " ⚠" : "") },
      { title: "", number: true, of: (m) => (m === base ? "" : times(speedup(m, d))) },
    ]),
    { title: "parameters", number: true, of: (m) => short(m.parameters) },
    { title: "multiply-adds", number: true, of: (m) => short(m.macs) },
    { title: "size", number: true, of: (m) => bytes(m.size_bytes) },
    { title: "same top-1 in ONNX", number: true, of: (m) => percent(m.onnx_top1_agreement, 0) },
    { title: "model", of: (m) => h("a", { href: m.onnx, download: true }, m.onnx.split("/").pop()) },
  ], rows, { choose: (m) => select(m.architecture ?? "reference"), id: (m) => m.architecture ?? "reference" }));
}

function drawAll() {
  const front = [...run.front].sort((a, b) => (axes[0].of(a) ?? 0) - (axes[0].of(b) ?? 0));
  at("all-table").replaceChildren(table([
    { title: "architecture", of: (p) => h("button", { class: "link", type: "button", onclick: () => select(p.architecture) }, p.architecture) },
    { title: "predicted", number: true, of: (p) => percent(p.predicted_accuracy) },
    { title: "90 % interval", number: true, of: (p) => span(p.accuracy_interval) },
    ...devices.map((d) => ({ title: `on ${d}`, number: true, of: (p) => ms(p.latency_ms[d]) })),
    { title: "parameters", number: true, of: (p) => short(p.parameters) },
    { title: "multiply-adds", number: true, of: (p) => short(p.macs) },
  ], front, { choose: (p) => select(p.architecture), id: (p) => p.architecture }));
}

const COSTS = [
  ["blocks_trained", "blocks trained", whole], ["blocks_reused", "blocks reused", whole], ["block_epochs", "block-epochs", whole], ["networks_trained", "networks trained", whole],
  ["networks_reused", "networks reused", whole], ["network_epochs", "network-epochs", whole], ["measurements", "measurements", whole],
  ["measurements_reused", "measurements reused", whole], ["device_s", "time on devices", duration], ["compute_s", "time of workers", duration], ["bytes_written", "bytes written", bytes],
];

function drawCost() {
  const phases = Object.entries(run.timings_s).filter(([phase]) => phase !== "total"), total = run.timings_s.total || 1;
  const tint = (i) => `color-mix(in oklab, var(--front) ${100 - (75 * i) / Math.max(1, phases.length - 1)}%, var(--won))`;
  const planned = (phase) => (run.planned_s?.[phase] ? `, planned ${duration(run.planned_s[phase])}` : "");
  at("cost-times").replaceChildren(
    h("p", { class: "note" }, `${duration(total)} in all, by phase:`),
    h("div", { class: "times", "aria-hidden": "true" }, phases.map(([, seconds], i) => h("i", { style: `flex:${seconds};background:${tint(i)}` }))),
    h("div", { class: "legend" }, phases.map(([phase, seconds], i) => h("span", null, h("i", { class: "swatch", style: `background:${tint(i)}` }), `${phase} ${duration(seconds)}${planned(phase)}`))));
  const by = run.cost_by_phase ?? {}, shown = COSTS.filter(([name]) => run.cost[name]);
  const columns = Object.entries(by).filter(([, cost]) => shown.some(([name]) => cost[name]));
  at("cost-table").replaceChildren(table([
    { title: "", of: ([, title]) => title },
    ...columns.map(([phase, cost]) => ({ title: words(phase.replace("-", " ")), number: true, of: ([name, , format]) => (cost[name] ? format(cost[name]) : "") })),
    { title: "all", number: true, of: ([name, , format]) => h("b", null, format(run.cost[name])) },
  ], shown));
}

function drawLatency() {
  const rows = Object.entries(run.search.latency_table_errors ?? {});
  at("latency").hidden = !rows.length;
  at("latency-table").replaceChildren(table([
    { title: "device", of: ([d]) => d },
    { title: "error of the sum", number: true, of: ([, e]) => percent(e.sum_relative_error) },
    { title: "after calibration", number: true, of: ([, e]) => percent(e.calibrated_relative_error) },
    { title: "Kendall tau", number: true, of: ([, e]) => fixed(e.kendall_tau) },
    { title: "networks to calibrate", number: true, of: ([, e]) => e.num_calibration },
    { title: "to judge", number: true, of: ([, e]) => e.num_holdout },
  ], rows));
}

function drawVersions() {
  const rows = [...Object.entries(run.devices ?? {}).map(([d, about]) => [d, [about.kind, about.description].filter(Boolean).join(", ")]), ...Object.entries(run.versions ?? {})];
  at("versions").replaceChildren(table([{ title: "", of: ([name]) => name }, { title: "", of: ([, value]) => value }], rows));
}
