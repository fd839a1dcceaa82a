// What the run cost: time by phase, and the ledger of its jobs.
const COSTS = [
  ["blocks_trained", "blocks trained", whole], ["blocks_reused", "blocks reused", whole], ["block_epochs", "block-epochs", whole], ["networks_trained", "networks trained", whole],
  ["networks_reused", "networks reused", whole], ["network_epochs", "network-epochs", whole], ["measurements", "measurements", whole],
  ["measurements_reused", "measurements reused", whole], ["device_s", "time on devices", duration], ["compute_s", "time of workers", duration], ["bytes_written", "bytes written", bytes],
];

function drawCost() {
  const phases = Object.entries(run.timings_s).filter(([phase]) => phase !== "total"), total = run.timings_s.total || 1;
  const longest = Math.max(...phases.map(([, seconds]) => seconds));
  const planned = phases.some(([phase]) => run.planned_s?.[phase]);
  at("cost-note").textContent = `${duration(total)} in all.`;
  at("cost-times").replaceChildren(table([
    { title: "phase", of: ([phase]) => words(phase) },
    { title: "time", number: true, of: ([, seconds]) => duration(seconds) },
    ...(planned ? [{ title: "planned", number: true, of: ([phase]) => (run.planned_s[phase] ? duration(run.planned_s[phase]) : "") }] : []),
    { title: "", of: ([, seconds]) => h("i", { class: "bar-of-time", style: `width:${(100 * seconds) / longest}%` }) },
  ], phases));
  const by = run.cost_by_phase ?? {}, shown = COSTS.filter(([name]) => run.cost[name]);
  const columns = Object.entries(by).filter(([, cost]) => shown.some(([name]) => cost[name]));
  at("cost-table").replaceChildren(table([
    { title: "", of: ([, title]) => title },
    { title: "all", number: true, of: ([name, , format]) => h("b", null, format(run.cost[name])) },
    ...columns.map(([phase, cost]) => ({ title: words(phase.replaceAll("-", " ")), number: true, of: ([name, , format]) => (cost[name] ? format(cost[name]) : "") })),
  ], shown));
}
