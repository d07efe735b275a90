/** What the server found in a recording, and how its figures are written. */
import { fetchJson } from "../dicom/fetching";
import type { Long } from "./long";

export type Severity = "normal" | "borderline" | "abnormal" | "critical";

export interface Said {
  readonly zh: string;
  readonly en: string;
}

export interface Statement {
  readonly code: string;
  readonly text: Said;
  readonly severity: Severity;
}

export const WAVES = { p: ["p_on", "p_off"], qrs: ["qrs_on", "qrs_off"], t: ["t_on", "t_off"] } as const;

/** Sample numbers count from 0 in the recording's own rate. */
export interface Analysis {
  readonly sampling_frequency_hz: number;
  readonly duration_s: number;
  readonly r_peaks: readonly number[];
  readonly delineation: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  readonly measurements: Readonly<Record<string, unknown>>;
  readonly rhythm: { readonly code: string; readonly text: string; readonly text_zh?: string };
  readonly statements: readonly Statement[];
  readonly quality: Readonly<Record<string, { readonly usable: boolean; readonly reasons: readonly string[] }>>;
  readonly warnings: readonly string[];
  /** Of a recording of five minutes and more. */
  readonly long?: Long;
}

/** Throws FrameUnavailable. */
export async function fetchAnalysis(sopInstanceUid: string): Promise<Analysis> {
  return (await fetchJson(`/api/v1/recordings/${encodeURIComponent(sopInstanceUid)}/analysis`)) as Analysis;
}

/** One row of the panel: null when it could not be measured, and why. */
export interface Figure {
  /** Locale key below `ecg.measure`. */
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly reason: string | null;
}

const ROWS: readonly (readonly [name: string, key: string, unit: string])[] = [
  ["rate", "heart_rate_bpm", "bpm"],
  ["p", "p_duration_ms", "ms"],
  ["pr", "pr_interval_ms", "ms"],
  ["qrs", "qrs_duration_ms", "ms"],
  ["qt", "qt_interval_ms", "ms"],
  ["pAxis", "p_axis_deg", "°"],
  ["qrsAxis", "qrs_axis_deg", "°"],
  ["tAxis", "t_axis_deg", "°"],
  ["rv5sv1", "rv5_sv1_mv", "mV"],
];

export const FORMULAS = ["bazett", "fridericia", "framingham", "hodges"] as const;
export type Formula = (typeof FORMULAS)[number];

export function figures(analysis: Analysis, formula: Formula): Figure[] {
  const rows = ROWS.map(([name, key, unit]) => ({ name, unit, value: finite(analysis.measurements[key]), reason: reasonFor(analysis, key) }));
  const corrected = analysis.measurements["qtc_ms"] as Record<string, unknown> | null | undefined;
  rows.splice(5, 0, { name: "qtc", unit: "ms", value: finite(corrected?.[formula]), reason: reasonFor(analysis, "qtc_ms") });
  return rows;
}

/** ST at the J point by lead, in millivolts; leads that could not be measured are left out. */
export function stSegments(analysis: Analysis): { readonly lead: string; readonly value: number }[] {
  const levels = (analysis.measurements["st_j_mv"] ?? {}) as Record<string, unknown>;
  return Object.entries(levels).flatMap(([lead, value]) => (finite(value) === null ? [] : [{ lead, value: finite(value)! }]));
}

/** The server's sentence about why *key* is null: "qt_interval_ms is null: ..." in the warnings. */
export function reasonFor(analysis: Analysis, key: string): string | null {
  const found = analysis.warnings.find((warning) => warning.startsWith(`${key} `) || warning.startsWith(`${key}:`));
  return found?.replace(/^\S+?:?\s+(is null:\s*)?/, "") ?? null;
}

/** The most severe first. */
export function bySeverity(statements: readonly Statement[]): Statement[] {
  const rank: Record<Severity, number> = { critical: 0, abnormal: 1, borderline: 2, normal: 3 };
  return [...statements].sort((a, b) => rank[a.severity] - rank[b.severity]);
}

function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
