/** Which of a study's ECGs are read first. */
import type { Instance, Series } from "@/api/model";

/** The study's recordings: those that another one replaced come last, so that nobody reads them first. */
export function recordingsOf(series: readonly Series[]): Instance[] {
  const all = series.flatMap(({ instances }) => instances.filter(({ kind }) => kind === "ecg"));
  return [...all.filter(({ replaced_by }) => !replaced_by), ...all.filter(({ replaced_by }) => replaced_by)];
}
