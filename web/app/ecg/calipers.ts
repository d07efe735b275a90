/** Calipers on the paper: two upright lines for time, two level ones for amplitude. Positions in millimetres of paper. */

export type CaliperKind = "time" | "amplitude";

export interface Calipers {
  readonly time: readonly [number, number] | null;
  readonly amplitude: readonly [number, number] | null;
  /** The line that keys move. */
  readonly chosen: { readonly kind: CaliperKind; readonly end: 0 | 1 } | null;
}

export const NONE: Calipers = { time: null, amplitude: null, chosen: null };

/** Milliseconds between two x positions at a paper speed in mm/s. */
export function milliseconds([a, b]: readonly [number, number], speed: number): number {
  return (Math.abs(b - a) / speed) * 1000;
}

/** Beats per minute if the span is one RR interval; null for a span of nothing. */
export function beatsPerMinute(span: readonly [number, number], speed: number): number | null {
  const ms = milliseconds(span, speed);
  return ms < 1 ? null : 60000 / ms;
}

/** Millivolts between two y positions at a gain in mm/mV. */
export function millivolts([a, b]: readonly [number, number], gain: number): number {
  return Math.abs(b - a) / gain;
}

/** Switch one pair on around a middle, or off. */
export function toggled(calipers: Calipers, kind: CaliperKind, middle: number): Calipers {
  if (calipers[kind] !== null) return { ...calipers, [kind]: null, chosen: calipers.chosen?.kind === kind ? null : calipers.chosen };
  return { ...calipers, [kind]: [middle - 10, middle + 10], chosen: { kind, end: 1 } };
}

/** Move one line to a position, kept on the paper. */
export function moved(calipers: Calipers, kind: CaliperKind, end: 0 | 1, to: number, limit: number): Calipers {
  const pair = calipers[kind];
  if (pair === null) return calipers;
  const at = Math.max(0, Math.min(limit, to));
  return { ...calipers, [kind]: end === 0 ? [at, pair[1]] : [pair[0], at], chosen: { kind, end } };
}

/** The next line in turn, for the keyboard. */
export function nextChosen(calipers: Calipers): Calipers {
  const lines = (["time", "amplitude"] as const).flatMap((kind) => (calipers[kind] === null ? [] : ([0, 1] as const).map((end) => ({ kind, end }))));
  if (lines.length === 0) return calipers;
  const { chosen } = calipers;
  const here = lines.findIndex((line) => line.kind === chosen?.kind && line.end === chosen.end);
  return { ...calipers, chosen: lines[(here + 1) % lines.length] };
}

/** The line within *reach* millimetres of a point, the nearest first. */
export function caught(calipers: Calipers, x: number, y: number, reach: number): Calipers["chosen"] {
  const lines = (["time", "amplitude"] as const).flatMap((kind) =>
    (calipers[kind] ?? []).map((position, end) => ({ kind, end: end as 0 | 1, away: Math.abs(position - (kind === "time" ? x : y)) })),
  );
  const nearest = lines.sort((a, b) => a.away - b.away)[0];
  return nearest === undefined || nearest.away > reach ? null : { kind: nearest.kind, end: nearest.end };
}
