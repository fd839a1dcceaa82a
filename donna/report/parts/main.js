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
section("rounds", run.improvement?.length, drawRounds);
section("prediction", run.predictor, () => { predictionNote(); drawn(at("prediction-chart"), drawPrediction); });
section("curve", run.predictor?.learning_curve.length > 1, () => drawn(at("curve-chart"), drawCurve));
section("blocks", blocks.length, drawHeat);
section("search", run.search.hypervolume.length, () => { searchNote(); drawn(at("search-chart"), drawSearch); });
section("cost", run.timings_s, drawCost);
section("latency", devices.length && run.search.measured, drawLatency);
drawAll();
drawVersions();
// First the network that the address names, else the one that the headline speaks of.
const named = addressed();
const first = run.told[devices[0]] ?? run.front.at(-1)?.architecture ?? (run.reference ? "reference" : null);
select(pointOf.has(named) || modelOf.has(named) ? named : first);
changed((change) => { if (change.selected && !framed) history.replaceState(null, "", `#${change.selected}`); });

function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return ""; // no text that a page of ours has written
  }
}
