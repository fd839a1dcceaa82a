// Predicted against true accuracy, with the interval of every prediction, and the learning curve.
function drawPrediction(host, width) {
  const samples = run.predictor.samples, judges = run.predictor.holdout, all = [...samples, ...judges];
  const low = Math.min(...all.flatMap((p) => [p.accuracy, p.predicted_accuracy])), high = Math.max(...all.flatMap((p) => [p.accuracy, p.predicted_accuracy]));
  const range = padded([low, high], 0.1);
  const f = frame(host, width, {
    height: Math.round(Math.min(420, Math.max(280, width * 0.8))), x: range, y: range, xLabel: "accuracy after finetuning", yLabel: "predicted accuracy",
    xFormat: percentTick, yFormat: percentTick, label: "Predicted against true accuracy",
  });
  f.plot.append(s("line", { class: "identity", x1: f.X(range[0]), y1: f.Y(range[0]), x2: f.X(range[1]), y2: f.Y(range[1]) }));
  for (const p of all) f.plot.append(s("line", { class: "thin", x1: f.X(p.accuracy), x2: f.X(p.accuracy), y1: f.Y(p.interval[0]), y2: f.Y(p.interval[1]) }));
  const draw = (p, kind, how) => f.svg.append(mark(f.X(p.accuracy), f.Y(p.predicted_accuracy), {
    r: 4.5, kind, network: p.architecture, tip: [p.architecture, `predicted ${percent(p.predicted_accuracy)}, ${how}`, `true ${percent(p.accuracy)}`],
    label: `Network ${p.architecture}, predicted ${percent(p.predicted_accuracy)}, true ${percent(p.accuracy)}`,
  }));
  samples.forEach((p) => draw(p, "front", "left out of the fit"));
  judges.forEach((p) => draw(p, "judge", "never in the fit"));
  keyboard(f.svg);
  update({});
}

function predictionNote() {
  const p = run.predictor, [low, high] = p.kendall_tau_loo_interval;
  const within = (list) => list.filter((q) => q.accuracy >= q.interval[0] && q.accuracy <= q.interval[1]).length;
  const held = p.num_holdout ? ` On ${p.num_holdout} networks that were never in the fit: ${fixed(p.kendall_tau_holdout)}; ${within(p.holdout)} of them lie inside their ${intervalTitle}.` : "";
  at("prediction-note").textContent = `Kendall tau, leave-one-out over ${p.num_samples} samples: ${fixed(p.kendall_tau_loo)} (${fixed(low)} to ${fixed(high)}).${held} ` +
    `Order ${p.order}, target ${words(p.target)}.`;
  legend("prediction-legend", [["front", "circle", "samples, leave-one-out"], ...(p.num_holdout ? [["judge", "circle", "held out"]] : []), ["identity", "dash", "perfect"]]);
}

function drawCurve(host, width) {
  const curve = run.predictor.learning_curve.filter((p) => p.kendall_tau_mean !== null);
  const low = (p) => p.kendall_tau_mean - (p.kendall_tau_std ?? 0), high = (p) => p.kendall_tau_mean + (p.kendall_tau_std ?? 0);
  const x = curve.map((p) => p.num_samples);
  const f = frame(host, width, {
    height: Math.round(Math.min(420, Math.max(280, width * 0.8))), x: padded(x, 0.03), y: [Math.min(0, ...curve.map(low)), Math.max(1, ...curve.map(high))],
    xLabel: "finetuned samples", yLabel: "Kendall tau", label: "Kendall tau against the number of samples",
  });
  const path = (of) => curve.map((p) => `${f.X(p.num_samples)},${f.Y(of(p))}`);
  f.plot.append(s("path", { class: "area", d: `M${[...path(high), ...path(low).reverse()].join("L")}z` }), s("path", { class: "line", d: `M${path((p) => p.kendall_tau_mean).join("L")}` }));
  for (const p of curve) {
    f.svg.append(s("circle", { cx: f.X(p.num_samples), cy: f.Y(p.kendall_tau_mean), r: 4, fill: "var(--front)" },
      s("title", null, `${p.num_samples} samples: ${fixed(p.kendall_tau_mean)} ± ${fixed(p.kendall_tau_std)}`)));
  }
}
