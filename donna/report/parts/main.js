// Puts the page together.
function drawTiles() {
  const tiles = [
    ["networks to choose from", short(run.space.num_architectures)],
    ...(run.library.num_blocks_trained === undefined ? [] : [["blocks trained", whole(run.library.num_blocks_trained)]]),
    ["networks measured", whole(run.search.measured)], ["on the front", whole(run.front.length)],
    ...(run.predictor ? [["Kendall tau, held out", fixed(run.predictor.kendall_tau_holdout ?? run.predictor.kendall_tau_loo)]] : []),
    ...(run.timings_s ? [["time in all", duration(run.timings_s.total)]] : []),
  ];
  at("tiles").replaceChildren(...tiles.map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value))));
}

function theme() {
  const button = at("theme");
  const set = (name) => {
    document.documentElement.dataset.theme = name;
    button.textContent = name === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${name === "dark" ? "light" : "dark"} colours`);
  };
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  set(preferred.matches ? "dark" : "light");
  preferred.addEventListener("change", () => set(preferred.matches ? "dark" : "light"));
  button.addEventListener("click", () => set(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
}

theme();
at("name").textContent = run.name;
drawTiles();
frontLegend();
drawTabs();
drawn(at("front-chart"), drawFront);
// A section whose data is not there, of a search that is still running for one, is not shown.
const section = (id, there, draw) => { if (there) draw(); else at(id).hidden = true; };
section("models", run.reference, drawModels);
section("prediction", run.predictor, () => { predictionNote(); drawn(at("prediction-chart"), drawPrediction); });
section("curve", run.predictor?.learning_curve.length > 1, () => drawn(at("curve-chart"), drawCurve));
section("blocks", blocks.length, drawHeat);
section("search", run.search.hypervolume.length, () => { searchNote(); drawn(at("search-chart"), drawSearch); });
section("cost", run.timings_s, drawCost);
drawLatency();
drawAll();
drawVersions();
// First the network that the address names, else the one that the headline speaks of.
const named = decodeURIComponent(location.hash.slice(1));
const good = run.models.filter((m) => m.accuracy >= run.reference.accuracy).sort((a, b) => a.latency_ms[devices[0]] - b.latency_ms[devices[0]]);
const first = good[0] ?? [...run.models].sort((a, b) => b.accuracy - a.accuracy)[0] ?? run.front[0];
select(pointOf.has(named) || modelOf.has(named) ? named : first?.architecture ?? (run.reference ? "reference" : null));
changed((change) => { if (change.selected) history.replaceState(null, "", `#${change.selected}`); });
