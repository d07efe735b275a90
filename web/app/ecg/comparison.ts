/** What changed since the patient's previous ECG. */
import type { Comparison } from "../api/model";
import { fetchJson } from "../dicom/fetching";

export type { Comparison };
export type Change = Comparison["changes"][number];

/** With the recording before it. Throws FrameUnavailable, "missing" when there is none. */
export async function fetchComparison(sopInstanceUid: string): Promise<Comparison> {
  return (await fetchJson(`/api/v1/recordings/${encodeURIComponent(sopInstanceUid)}/comparison`)) as Comparison;
}

/** The rows of the table: what is said to have changed first, then the rest of what has no lead. */
export function rowsOf(comparison: Comparison): Change[] {
  const changed = comparison.changes.filter(({ notable }) => notable);
  return [...changed, ...comparison.changes.filter(({ notable, lead }) => !notable && lead === "")];
}

export function written(value: number | string | null): string {
  return value === null ? "—" : String(value);
}
