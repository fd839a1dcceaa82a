// Numbers as people read them.
const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`);
const percentTick = (share) => `${Number((100 * share).toFixed(2))} %`;
const error = (a, n) => (n ? 1.96 * Math.sqrt((a * (1 - a)) / n) : null);
const span = ([low, high]) => `${(100 * low).toFixed(1)} to ${percent(high)}`;
const fixed = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const ms = (value) => (value === undefined || value === null ? "–" : `${Number(value.toPrecision(3))} ms`);
const milliseconds = ([low, high]) => `${Number(low.toPrecision(3))} to ${ms(high)}`;
const whole = (value) => Math.round(value).toLocaleString("en");

function short(value) {
  const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const found = steps.find(([size]) => Math.abs(value) >= size);
  return found ? `${Number((value / found[0]).toPrecision(3))} ${found[1]}` : `${Number(value.toPrecision(3))}`;
}

const bytes = (value) => (value >= 1 << 20 ? `${(value / (1 << 20)).toFixed(1)} MB` : `${Math.round(value / 1024)} KB`);

function duration(seconds) {
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const words = (name) => name.replaceAll("_", " ");
const times = (ratio) => (ratio >= 1 ? `${ratio.toFixed(2)}× as fast` : `${(1 / ratio).toFixed(2)}× as slow`);
const points = (share) => `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(1)} points`;
