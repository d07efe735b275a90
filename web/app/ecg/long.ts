/** A long recording as the screen shows it: a line of rates, the hours, the episodes. */
import type { Long } from "../api/model";

export type { Long };
export type Episode = Long["episodes"][number];

/** Kinds that must not be overlooked, in the order in which they are listed. */
export const KINDS = [
  "ventricular-run", "pause", "atrial-fibrillation", "atrial-flutter", "supraventricular-run", "idioventricular-run", "st-elevation", "st-depression",
  "couplet", "bigeminy", "trigeminy", "bradycardia", "tachycardia",
] as const;

/** How many episodes of a kind are shown before the rest is asked for. */
export const SHOWN = 20;

export interface Group {
  readonly kind: string;
  readonly count: number;
  /** The longest first. */
  readonly episodes: readonly Episode[];
}

export function groups(long: Long): Group[] {
  return KINDS.flatMap((kind) => {
    const episodes = long.episodes.filter((one) => one.kind === kind).sort((a, b) => b.seconds - a.seconds);
    return episodes.length === 0 ? [] : [{ kind, count: long.counts[kind] ?? episodes.length, episodes }];
  });
}

/** Seconds since the beginning as h:mm:ss. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** The lines of a trend in a box of *width* by *height*; minutes without a value part them. */
export function trend(values: readonly (number | null)[], width: number, height: number, low: number, high: number): string {
  const step = width / Math.max(1, values.length);
  let drawn = "";
  let open = false;
  values.forEach((value, minute) => {
    if (value === null) {
      open = false;
      return;
    }
    const y = height - ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * height;
    drawn += `${open ? "L" : "M"}${((minute + 0.5) * step).toFixed(1)} ${y.toFixed(1)}`;
    open = true;
  });
  return drawn;
}
