/** The display filters: zero-phase, so that no wave moves. The stored samples and the measurements are never touched. */

export type FilterName = "raw" | "diagnostic" | "monitor";

/** Pass bands in hertz. "monitor" calms a noisy trace but bends ST segments, which the screen says. */
export const BANDS: Readonly<Record<Exclude<FilterName, "raw">, readonly [low: number, high: number]>> = {
  diagnostic: [0.05, 150],
  monitor: [0.5, 40],
};

type Section = readonly [b0: number, b1: number, b2: number, a1: number, a2: number];

/** *samples* as the filter shows them; missing samples stay missing. */
export function filtered(samples: Float32Array, rate: number, name: FilterName): Float32Array {
  if (name === "raw") return samples;
  const [low, high] = BANDS[name];
  const held = withoutGaps(samples);
  const sections = [firstOrderHighPass(low, rate), ...(high < rate * 0.45 ? [secondOrderLowPass(high, rate)] : [])];
  const result = sections.reduce((signal, section) => run(run(signal, section).reverse(), section).reverse(), held);
  return result.map((value, index) => (Number.isNaN(samples[index]) ? NaN : value));
}

function firstOrderHighPass(cutoff: number, rate: number): Section {
  const k = Math.tan((Math.PI * cutoff) / rate);
  return [1 / (1 + k), -1 / (1 + k), 0, (k - 1) / (k + 1), 0];
}

function secondOrderLowPass(cutoff: number, rate: number): Section {
  const k = Math.tan((Math.PI * cutoff) / rate);
  const scale = 1 / (1 + Math.SQRT2 * k + k * k);
  return [k * k * scale, 2 * k * k * scale, k * k * scale, 2 * (k * k - 1) * scale, (1 - Math.SQRT2 * k + k * k) * scale];
}

/** One pass, begun as if the first sample had been there for ever: no step at the edge. */
function run(signal: Float32Array, [b0, b1, b2, a1, a2]: Section): Float32Array {
  const first = signal[0] ?? 0;
  const steady = (first * (b0 + b1 + b2)) / (1 + a1 + a2);
  let [x1, x2, y1, y2] = [first, first, steady, steady];
  return signal.map((x) => {
    const y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    return y;
  });
}

function withoutGaps(samples: Float32Array): Float32Array {
  let last = samples.find((value) => !Number.isNaN(value)) ?? 0;
  return samples.map((value) => (last = Number.isNaN(value) ? last : value));
}
