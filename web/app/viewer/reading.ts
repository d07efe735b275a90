/** A measurement as a report takes it up. */
import type { Frame } from "../dicom/frame";
import type { Slice } from "../dicom/series";
import { captionOf, type Measurement } from "./measurements";

export interface Reading {
  readonly kind: Measurement["kind"];
  /** What it says, as it is written beside it. */
  readonly words: string;
  /** The first figure alone, for a blank whose unit stands behind it: "12.3" of "12.3 mm", "≈ 12.3" of "≈ 12.3 mm". */
  readonly value: string;
  readonly unit: string;
  /** Where it was taken; frames count from 1. */
  readonly image: { readonly sop_instance_uid: string; readonly frame: number };
  /** As people call the place: SeriesNumber (null where there is none) and InstanceNumber. */
  readonly series: number | null;
  readonly number: number;
}

/** Return what a measurement on *slice* says; null while its frame is loading, or where it says nothing. */
export function readingOf(one: Measurement, slice: Slice, series: number | null, frame: Frame | undefined): Reading | null {
  const lines = captionOf(one.kind, one.points, slice, frame).filter((line) => line !== "");
  const figure = /^((?:≈ )?-?\d+(?:\.\d+)?)(?: ± \d+(?:\.\d+)?)?\s*(\S*)$/.exec(lines[0] ?? "");
  if (figure === null) return null;
  const image = { sop_instance_uid: slice.sopInstanceUid, frame: slice.frame };
  return { kind: one.kind, words: lines.join(" · "), value: figure[1], unit: figure[2], image, series, number: slice.instanceNumber };
}
