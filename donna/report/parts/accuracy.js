// The vertical axis of accuracies. Where errors differ by much, equal steps are equal ratios of errors: a network that is
// right in 30 % of the cases, which every front ends with, must not flatten the difference between 98 and 99 %.
const MUCH = 6;
const NICE = [0.9, 0.99, 0.5, 0.98, 0.95, 0.8, 0.999, 0.995, 0, 0.7, 0.2, 0.9999, 0.6, 0.998, 0.85, 0.97, 0.9995, 0.4];

function accuracyAxis(values, height) {
  const errors = values.filter(Number.isFinite).map((value) => 1 - value), wrong = errors.filter((error) => error > 0);
  const high = Math.max(...errors), low = wrong.length ? Math.min(...wrong) : high;
  if (!(high > MUCH * low)) {
    const [bottom, top] = padded(values, 0.1);
    return { y: [Math.max(0, bottom), Math.min(1.005, top)], yLabel: "top-1 accuracy" };
  }
  // No error at all lies at infinity: it is drawn at the upper edge.
  const least = low / 1.6, y = [Math.max(0, 1 - high * 1.15), 1 - least], yOf = (value) => -Math.log(Math.max(1 - value, least));
  const gap = ((yOf(y[1]) - yOf(y[0])) * 30) / height, found = [];
  for (const tick of NICE) {
    if (tick >= y[0] && tick <= y[1] && found.every((other) => Math.abs(yOf(tick) - yOf(other)) > gap)) found.push(tick);
  }
  return { y, yOf, yTicks: found, yLabel: "top-1 accuracy, by ratio of errors" };
}
