// The selected network: its figures, what they are against the reference, its blocks.
function against(model, point) {
  const { axis } = state, reference = run.reference, cost = axis.of(model ?? point), base = reference && axis.of(reference);
  if (!reference || !Number.isFinite(cost) || !Number.isFinite(base)) return null;
  const gained = model ? `${points(model.accuracy - reference.accuracy)} on test` : `${percent(point.predicted_accuracy)} predicted`;
  if (axis.device && !model) return [h("p", { class: "against" }, gained), h("p", { class: "small" }, "Measured in the search only, so not held against the reference, which was measured again later.")];
  const ratio = axis.device ? times(speedup(model, axis.device)) : `${(cost / base).toFixed(2)}× the multiply-adds`;
  return [h("p", { class: "against" }, `${ratio}, ${gained}`)];
}

// The latencies of a network: of what was measured again, the interval of its rounds and what the search had measured before.
function latencies(network, isFinal) {
  return Object.entries(network.latency_ms ?? {}).flatMap(([device, latency]) => {
    const interval = network.latency_interval_ms?.[device], before = network.searched_latency_ms?.[device];
    const shaky = network.unstable_devices?.includes(device) ? ", unstable" : "";
    return [
      [`latency on ${device}${isFinal ? "" : ", in the search"}`, ms(latency) + shaky],
      ...(interval ? [["its rounds", milliseconds(interval)]] : []), ...(before ? [["in the search", ms(before)]] : []),
    ];
  });
}

function drawPicture() {
  const network = state.selected;
  if (!network) return;
  const model = network === "reference" ? null : modelOf.get(network), point = pointOf.get(network);
  const baseline = baselines.find((b) => b.name === network);
  const source = network === "reference" ? run.reference : model ?? point ?? baseline ?? known(network);
  const rows = [];
  if (source.accuracy !== undefined) rows.push(["accuracy, test", percent(source.accuracy)]);
  if (source.finetuned !== undefined) rows.push(["accuracy, finetuned shortly", percent(source.finetuned)]);
  if (point ?? source.predicted_accuracy !== undefined) {
    const p = point ?? source, interval = p.accuracy_interval;
    rows.push(["accuracy, predicted", percent(p.predicted_accuracy)]);
    if (interval) rows.push([`its ${intervalTitle}`, span(interval)]);
  }
  rows.push(...latencies(source, network === "reference" || model));
  if (source.parameters) rows.push(["parameters", short(source.parameters)], ["multiply-adds", short(source.macs)]);
  if (source.size_bytes ?? source.model_bytes) rows.push(["size", bytes(source.size_bytes ?? source.model_bytes)]);
  const sameEverywhere = baseline && !model && !point;
  at("picture").replaceChildren(
    h("h3", null, network === "reference" ? "The reference" : model ? model.name : network),
    model ? h("p", { class: "small", style: "margin:0" }, network) : "",
    sameEverywhere ? h("p", { class: "small", style: "margin:0" }, "The same option in every block: predicted, not finetuned.") : "",
    ...((network !== "reference" && (model || point) && against(model, point)) || []),
    h("dl", null, rows.flatMap(([term, value]) => [h("dt", null, term), h("dd", null, value)])),
    blocks.length ? stack(network) : "",
    point?.extrapolated ? h("p", { class: "small" }, "A block’s quality lies outside what the predictor has seen: the prediction is an extrapolation.") : "");
}

// A sample of the predictor that is not on the front.
function known(network) {
  const found = [...(run.predictor?.samples ?? []), ...(run.predictor?.holdout ?? [])].find((sample) => sample.architecture === network);
  return found ? { finetuned: found.accuracy, predicted_accuracy: found.predicted_accuracy, accuracy_interval: found.interval } : {};
}

changed((change) => { if ("selected" in change || "axis" in change) drawPicture(); });
