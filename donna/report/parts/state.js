// The run, what is selected, and who wants to know. A network is named by its architecture, or "reference".
const run = JSON.parse(at("run").textContent);
const devices = Object.keys(run.reference?.latency_ms ?? run.devices);
const anchors = run.reference ? [run.reference] : []; // a search that is still running knows of none
const baselines = run.baselines ?? [];
// In the frame of a notebook there is no folder beside the page, and no address that could be changed.
const framed = location.protocol === "about:";
const blocks = run.library?.blocks ?? [];
// Models are measured in turns with the reference: what each turn says is nearer the truth than the ratio of medians.
const speedup = (model, device) => model.speedup?.[device] ?? run.reference.latency_ms[device] / model.latency_ms[device];
const modelOf = new Map(run.models.map((model) => [model.architecture, model]));
const pointOf = new Map(run.front.map((point) => [point.architecture, point]));
// Results of older versions do not say how many truths the intervals are to hold; a search does not know.
const intervalTitle = run.predictor ? `${percentTick(run.predictor.interval_coverage ?? 0.9)} interval` : "interval";

// What the horizontal axis of the front can be; one tab for each.
const axes = [
  ...devices.map((device) => ({
    id: device, device, title: device, label: `latency on ${device}, ms`, format: ms, of: (network) => network.latency_ms?.[device],
    // What the search measured of a network that was measured again since, perhaps by a device with another pace.
    searched: (network) => network.searched_latency_ms?.[device],
  })),
  { id: "macs", title: "multiply-adds", label: "multiply-adds", format: short, of: (network) => network.macs, searched: () => undefined },
];

const state = { axis: axes[0], selected: null };
const listeners = [];
const changed = (listener) => listeners.push(listener);

function update(change) {
  Object.assign(state, change);
  listeners.forEach((listener) => listener(change));
}

const select = (network) => update({ selected: network });

// Redraws when the width of the host changes, so that letters keep their size on every screen.
function drawn(host, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(host.clientWidth - width) < 1) return;
    width = host.clientWidth;
    if (width) draw(host, width);
  }).observe(host);
}
