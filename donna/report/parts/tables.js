// Models, rounds, latency tables, versions: what is best read as a table.
function drawModels() {
  const quantised = (m) => (m.int8 ? [{ ...m, ...m.int8, name: `${m.name}, 8 bits` }] : []);
  const rows = [run.reference, ...run.models].flatMap((m) => [m, ...quantised(m)]), base = run.reference;
  const mark = (row) => (row.unstable_devices ?? []);
  const rounds = (m, d) => (m.latency_interval_ms?.[d] ? milliseconds(m.latency_interval_ms[d]) : "");
  at("models-note").hidden = !rows.some((m) => mark(m).length);
  at("models-table").replaceChildren(table([
    { title: "network", of: (m) => h("button", { class: "link", type: "button", onclick: () => select(m.architecture ?? "reference") }, m.name) },
    { title: "accuracy", number: true, of: (m) => `${(100 * m.accuracy).toFixed(1)} ± ${percent(error(m.accuracy, m.num_samples))}` },
    ...devices.map((d) => ({
      title: `on ${d}`, number: true,
      of: (m) => [ms(m.latency_ms[d]) + (mark(m).includes(d) ? " ⚠" : ""), m === base ? "" : h("small", null, times(speedup(m, d)))],
    })),
    ...(rows.some((m) => m.latency_interval_ms) ? devices.map((d) => ({ title: `rounds on ${d}`, number: true, of: (m) => rounds(m, d) })) : []),
    { title: "parameters", number: true, of: (m) => short(m.parameters) },
    { title: "multiply-adds", number: true, of: (m) => short(m.macs) },
    { title: "size", number: true, of: (m) => bytes(m.size_bytes) },
    { title: "same top-1 in ONNX", number: true, of: (m) => percent(m.onnx_top1_agreement, 0) },
    { title: "model", of: (m) => (framed ? m.onnx : h("a", { href: m.onnx, download: true }, m.onnx.split("/").pop())) },
  ], rows, { choose: (m) => select(m.architecture ?? "reference"), id: (m) => m.architecture ?? "reference" }));
}

function drawAll() {
  const front = [...run.front].sort((a, b) => (axes[0].of(a) ?? 0) - (axes[0].of(b) ?? 0));
  at("all-table").replaceChildren(table([
    { title: "architecture", of: (p) => h("button", { class: "link", type: "button", onclick: () => select(p.architecture) }, p.architecture) },
    { title: "predicted", number: true, of: (p) => percent(p.predicted_accuracy) },
    { title: intervalTitle, number: true, of: (p) => span(p.accuracy_interval) },
    ...devices.map((d) => ({ title: `on ${d}, in the search`, number: true, of: (p) => ms(p.latency_ms[d]) })),
    { title: "parameters", number: true, of: (p) => short(p.parameters) },
    { title: "multiply-adds", number: true, of: (p) => short(p.macs) },
  ], front, { choose: (p) => select(p.architecture), id: (p) => p.architecture }));
}

// What each round of improvement found of the front that it began with.
function drawRounds() {
  at("rounds-table").replaceChildren(table([
    { title: "round", of: (_, n) => n + 1 },
    { title: "networks of the front finetuned", number: true, of: (r) => r.finetuned.length },
    { title: "Kendall tau on them", number: true, of: (r) => fixed(r.kendall_tau_front) },
    { title: "mean error there", number: true, of: (r) => percent(r.mean_abs_error_front) },
    { title: "leave-one-out tau before", number: true, of: (r) => fixed(r.kendall_tau_loo) },
    { title: "on the front before", number: true, of: (r) => whole(r.front_size) },
  ], run.improvement));
}

function drawLatency() {
  const rows = Object.entries(run.search.latency_table_errors ?? {});
  at("latency-note").textContent = rows.length
    ? "Sums of per-block latencies against measured whole networks that the calibration did not see."
    : "No table was used: every latency is that of a whole network, measured. Searches with latency: table or table_refined have one, and its error here.";
  if (rows.length) at("latency-table").replaceChildren(table([
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
