// Puts the page together.
function drawTiles() {
  const tiles = [
    ["networks to choose from", short(run.space.num_architectures)], ["blocks trained", whole(run.library.num_blocks_trained)],
    ["networks measured", whole(run.search.measured)], ["on the front", whole(run.front.length)],
    ["Kendall tau, held out", fixed(run.predictor.kendall_tau_holdout ?? run.predictor.kendall_tau_loo)], ["time in all", duration(run.timings_s.total)],
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
drawModels();
predictionNote();
drawn(at("prediction-chart"), drawPrediction);
if (run.predictor.learning_curve.length > 1) drawn(at("curve-chart"), drawCurve);
else at("curve").hidden = true;
if (blocks.length) drawHeat();
else at("blocks").hidden = true;
if (run.search.hypervolume.length) { searchNote(); drawn(at("search-chart"), drawSearch); }
else at("search").hidden = true;
drawCost();
drawLatency();
drawAll();
drawVersions();
// First the network that the headline speaks of.
const good = run.models.filter((m) => m.accuracy >= run.reference.accuracy).sort((a, b) => a.latency_ms[devices[0]] - b.latency_ms[devices[0]]);
const first = good[0] ?? [...run.models].sort((a, b) => b.accuracy - a.accuracy)[0] ?? run.front[0];
select(first?.architecture ?? "reference");
