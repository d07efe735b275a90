/** The trace that is no good, and a good one to hold beside it. */
import type { Waveform } from "@/ecg/waveform";
import type { Fault } from "@/api/model";

export interface Trace {
  readonly lead: string;
  readonly millivolts: Float32Array;
  /** Turned over: as it would look with the two electrodes exchanged. */
  readonly mended: boolean;
}

/** Seconds of a trace that a card shows, and millivolts from its lower to its upper edge. */
export const SHOWN_S = 3;
export const SPAN_MV = 3;

/** Faults of two exchanged arms: lead I turned over is what it should be. */
const TURNED = new Set(["arm-electrodes-swapped", "dextrocardia"]);
export const SWAPPED = new Set(["arm-electrodes-swapped", "right-arm-left-leg-swapped"]);

/** For a card: the first lead that shows *fault*, and the same mended or the nearest lead without a fault, where there is one. */
export function pairOf(waveform: Waveform, fault: Fault, all: readonly Fault[]): Trace[] {
  const at = waveform.leads.findIndex((name) => fault.leads.includes(name));
  const index = at >= 0 ? at : fault.leads.length === 0 ? 0 : -1;
  if (index < 0) return [];
  const cut = (row: number): Float32Array => waveform.millivolts[row]!.subarray(0, Math.round(SHOWN_S * waveform.rate));
  const bad = { lead: waveform.leads[index]!, millivolts: cut(index), mended: false };
  if (TURNED.has(fault.code)) return [bad, { lead: bad.lead, millivolts: bad.millivolts.map((value) => -value), mended: true }];
  const faulty = new Set(all.flatMap(({ leads }) => leads));
  const chest = (name: string): boolean => name.startsWith("V");
  const apart = (name: string, row: number): number => (chest(name) === chest(bad.lead) ? 0 : 100) + Math.abs(row - index);
  const good = waveform.leads
    .map((name, row) => ({ name, row, apart: apart(name, row) }))
    .filter(({ name }) => !faulty.has(name) && !name.startsWith("aV"))
    .sort((a, b) => a.apart - b.apart)[0];
  return good ? [bad, { lead: good.name, millivolts: cut(good.row), mended: false }] : [bad];
}

/** A trace as the points of a polyline, *width* by *height*, its middle level in the middle. */
export function points(trace: Float32Array, width: number, height: number): string {
  const known = [...trace].filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const level = known[Math.floor(known.length / 2)] ?? 0;
  const y = (value: number): number => Math.min(height - 1, Math.max(1, height * (0.62 - (value - level) / SPAN_MV)));
  return Array.from(trace, (value, index) => (Number.isNaN(value) ? "" : `${((index / trace.length) * width).toFixed(1)},${y(value).toFixed(1)}`)).join(" ").trim();
}
