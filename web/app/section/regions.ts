/** The regions in which several may read one study, in the order of its report. */
import type { Region, Section } from "@/api/model";

export const REGIONS: readonly Region[] = ["head", "neck", "chest", "abdomen", "pelvis", "spine", "limb"];
export const FEWEST = 2;
export const MOST = 6;

export const isSplittable = (chosen: readonly Region[]): boolean => chosen.length >= FEWEST && chosen.length <= MOST;

/** How far a task's sections are: how many there are, are signed, and which nobody has. */
export function progressOf(sections: readonly Section[]): { all: number; signed: number; free: Section[] } {
  return { all: sections.length, signed: sections.filter(({ status }) => status === "signed").length, free: sections.filter(({ status }) => status === "open") };
}

/** The section *me* has to write: the one *chosen* if it is theirs, else their first. */
export function toWrite(sections: readonly Section[], me: string, chosen: string): Section | undefined {
  const mine = sections.filter(({ status, reader }) => status === "claimed" && reader?.id === me);
  return mine.find(({ id }) => id === chosen) ?? mine[0];
}
