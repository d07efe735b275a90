/** A series as a stack of slices in reading order, from the metadata of its instances. */
import { depthOf, normalOf, type Plane } from "../math/orientation";
import { dot, type Vector } from "../math/spaces";
import type { Spacing } from "../math/geometry";
import { planesOf, type Plane as OverlayPlane } from "./graphics";
import { items, number, numbers, personName, TAG, text, texts, words, type DataSet } from "./attributes";
import { regionsOf, type UltrasoundRegion } from "./ultrasound";
import type { Lookup, Modality, PixelFormat, VoiFunction, Window } from "./voi";

export interface NamedWindow extends Window {
  readonly name: string | null;
}

export interface Palette {
  readonly red: Lookup;
  readonly green: Lookup;
  readonly blue: Lookup;
}

/** One frame of one instance: what the stack is made of. */
export interface Slice {
  readonly sopInstanceUid: string;
  /** Counts from 1. */
  readonly frame: number;
  readonly instanceNumber: number;
  /** Below /dicom-web, without a trailing slash: .../instances/{uid}/frames/{n}. */
  readonly path: string;
  readonly format: PixelFormat;
  /** Pixel height over pixel width. */
  readonly aspect: number;
  readonly modality: Modality;
  /** "HU" for CT, else RescaleType, else "". */
  readonly unit: string;
  readonly windows: readonly NamedWindow[];
  readonly voiFunction: VoiFunction;
  readonly voiLookup: Lookup | null;
  readonly palette: Palette | null;
  /** The graphics the modality laid over it. */
  readonly overlays: readonly OverlayPlane[];
  /** The pixels cannot be shown from raw values here: ask the server for a rendered picture. */
  readonly renderedOnly: boolean;
  readonly plane: Plane | null;
  readonly frameOfReference: string | null;
  readonly location: number | null;
  readonly thickness: number | null;
  readonly spacing: Spacing | null;
  /** "detector": measured at the detector plane, larger than in the patient (ImagerPixelSpacing). */
  readonly spacingOrigin: "patient" | "detector" | null;
  readonly regions: readonly UltrasoundRegion[];
}

export interface PatientLine {
  readonly name: string | null;
  readonly id: string | null;
  readonly sex: string | null;
  readonly age: string | null;
  readonly birthDate: string | null;
}

export interface Series {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly modality: string;
  readonly number: number | null;
  readonly description: string;
  readonly studyDescription: string;
  readonly studyDate: string | null;
  readonly studyTime: string | null;
  readonly institution: string | null;
  readonly patient: PatientLine;
  readonly slices: readonly Slice[];
  /** What the file asks for (CineRate, FrameTime or RecommendedDisplayFrameRate), else null. */
  readonly framesPerSecond: number | null;
}

/** Build the stack. Instances without pixels are left out; an empty stack is a series that has no images. */
export function seriesOf(sets: readonly DataSet[]): Series | null {
  const first = sets[0];
  if (first === undefined) return null;
  return {
    studyInstanceUid: text(first, TAG.StudyInstanceUID) ?? "",
    seriesInstanceUid: text(first, TAG.SeriesInstanceUID) ?? "",
    modality: text(first, TAG.Modality) ?? "",
    number: number(first, TAG.SeriesNumber),
    description: text(first, TAG.SeriesDescription) ?? "",
    studyDescription: text(first, TAG.StudyDescription) ?? "",
    studyDate: text(first, TAG.StudyDate),
    studyTime: text(first, TAG.StudyTime),
    institution: text(first, TAG.InstitutionName),
    patient: {
      name: personName(first, TAG.PatientName), id: text(first, TAG.PatientID), sex: text(first, TAG.PatientSex),
      age: text(first, TAG.PatientAge), birthDate: text(first, TAG.PatientBirthDate),
    },
    slices: inReadingOrder(sets.flatMap(slicesOf)),
    framesPerSecond: rateOf(first),
  };
}

/**
 * By place along the common normal, in the direction the instance numbers grow; by instance number and frame where
 * planes differ or places repeat (several phases of one place belong in the order they were taken).
 */
export function inReadingOrder(slices: readonly Slice[]): Slice[] {
  const taken = [...slices].sort((a, b) => a.instanceNumber - b.instanceNumber || a.frame - b.frame);
  const planes = taken.map((slice) => slice.plane);
  const reference = planes[0];
  if (reference === null || reference === undefined || taken.length < 2) return taken;
  const parallel = planes.every((plane) => plane !== null && dot(normalOf(plane), normalOf(reference)) > 0.99);
  if (!parallel) return taken;
  const depths = new Map(taken.map((slice) => [slice, depthOf({ ...slice.plane!, ...directions(reference) })]));
  const rounded = new Set([...depths.values()].map((depth) => Math.round(depth * 1000)));
  if (rounded.size < taken.length) return taken;
  const sorted = [...taken].sort((a, b) => depths.get(a)! - depths.get(b)!);
  const place = new Map(sorted.map((slice, index) => [slice, index]));
  const growing = taken.slice(1).filter((slice, index) => place.get(slice)! > place.get(taken[index])!).length;
  return growing * 2 < taken.length - 1 ? sorted.reverse() : sorted;
}

function directions(plane: Plane): Pick<Plane, "alongRow" | "alongColumn"> {
  return { alongRow: plane.alongRow, alongColumn: plane.alongColumn };
}

function slicesOf(set: DataSet): Slice[] {
  const rows = number(set, TAG.Rows);
  const columns = number(set, TAG.Columns);
  const sop = text(set, TAG.SOPInstanceUID);
  if (rows === null || columns === null || rows < 1 || columns < 1 || sop === null) return [];
  const frames = Math.max(1, number(set, TAG.NumberOfFrames) ?? 1);
  const shared = items(set, TAG.SharedGroups)[0] ?? {};
  const perFrame = items(set, TAG.PerFrameGroups);
  const path =
    `/dicom-web/studies/${text(set, TAG.StudyInstanceUID) ?? ""}/series/${text(set, TAG.SeriesInstanceUID) ?? ""}` +
    `/instances/${sop}/frames/`;
  const common = formatOf(set, rows, columns);
  return Array.from({ length: frames }, (_, index) => sliceOf(set, [perFrame[index] ?? {}, shared], common, sop, index + 1, path));
}

type Common = Pick<Slice, "format" | "palette" | "voiLookup" | "regions" | "renderedOnly"> & { readonly modalityLookup: Lookup | null };

function formatOf(set: DataSet, rows: number, columns: number): Common {
  const bitsAllocated = number(set, TAG.BitsAllocated) ?? 8;
  const format: PixelFormat = {
    columns, rows, samples: number(set, TAG.SamplesPerPixel) ?? 1, bitsAllocated,
    bitsStored: Math.min(number(set, TAG.BitsStored) ?? bitsAllocated, bitsAllocated),
    signed: number(set, TAG.PixelRepresentation) === 1,
    photometric: photometricOf(set),
  };
  const palette = format.photometric === "PALETTE COLOR" ? paletteOf(set) : null;
  const modalityItem = items(set, TAG.ModalityLut)[0];
  const modalityLookup = modalityItem === undefined ? null : lookupOf(modalityItem, TAG.LutDescriptor, TAG.LutData);
  const voiItem = items(set, TAG.VoiLut)[0];
  const strange = format.samples === 1 ? bitsAllocated > 16 : bitsAllocated !== 8 || format.samples !== 3;
  return {
    format, palette, modalityLookup, regions: regionsOf(set),
    voiLookup: voiItem === undefined ? null : lookupOf(voiItem, TAG.LutDescriptor, TAG.LutData),
    renderedOnly:
      strange || (format.photometric === "PALETTE COLOR" && palette === null) ||
      (modalityItem !== undefined && modalityLookup === null),
  };
}

/** Grey values turned by their presentation say the same as MONOCHROME1; where both stand they are turned once. */
function photometricOf(set: DataSet): string {
  const said = text(set, TAG.Photometric) ?? "MONOCHROME2";
  return said === "MONOCHROME2" && text(set, TAG.PresentationLutShape) === "INVERSE" ? "MONOCHROME1" : said;
}

function sliceOf(set: DataSet, groups: readonly DataSet[], common: Common, sop: string, frame: number, path: string): Slice {
  const group = (sequence: string): DataSet => groups.map((each) => items(each, sequence)[0]).find((item) => item !== undefined) ?? set;
  const transformation = group(TAG.PixelValueTransformation);
  const measures = group(TAG.PixelMeasures);
  const ct = text(set, TAG.Modality) === "CT";
  const patientSpacing = numbers(measures, TAG.PixelSpacing);
  const detectorSpacing = numbers(set, TAG.ImagerPixelSpacing);
  const [rowSpacing, columnSpacing] = patientSpacing.length === 2 ? patientSpacing : detectorSpacing;
  const spacing = rowSpacing > 0 && columnSpacing > 0 ? { row: rowSpacing, column: columnSpacing } : null;
  const ratio = numbers(set, TAG.PixelAspectRatio);
  const { modalityLookup, ...shared } = common;
  return {
    ...shared, sopInstanceUid: sop, frame, path: `${path}${frame}`, overlays: planesOf(set, frame),
    instanceNumber: number(set, TAG.InstanceNumber) ?? 0,
    aspect: spacing !== null ? spacing.row / spacing.column : ratio.length === 2 && ratio[0] > 0 && ratio[1] > 0 ? ratio[0] / ratio[1] : 1,
    modality: {
      slope: number(transformation, TAG.RescaleSlope) || 1,
      intercept: number(transformation, TAG.RescaleIntercept) ?? 0,
      lookup: modalityLookup,
    },
    unit: ct ? "HU" : readableUnit(text(transformation, TAG.RescaleType)),
    windows: windowsOf(group(TAG.FrameVoiLut)),
    voiFunction: voiFunctionOf(text(group(TAG.FrameVoiLut), TAG.VoiLutFunction)),
    plane: planeOf(numbers(group(TAG.PlanePosition), TAG.ImagePosition), numbers(group(TAG.PlaneOrientation), TAG.ImageOrientation), spacing),
    frameOfReference: text(set, TAG.FrameOfReference),
    location: number(set, TAG.SliceLocation),
    thickness: number(measures, TAG.SliceThickness),
    spacing,
    spacingOrigin: spacing === null ? null : patientSpacing.length === 2 ? "patient" : "detector",
  };
}

function windowsOf(set: DataSet): NamedWindow[] {
  const widths = numbers(set, TAG.WindowWidth);
  const names = texts(set, TAG.WindowExplanation);
  return numbers(set, TAG.WindowCenter)
    .map((center, index) => ({ center, width: widths[index] ?? 0, name: names[index] ?? null }))
    .filter((window) => window.width > 0);
}

function planeOf(position: number[], orientation: number[], spacing: Spacing | null): Plane | null {
  if (position.length !== 3 || orientation.length !== 6) return null;
  return {
    position: position as unknown as Vector,
    alongRow: orientation.slice(0, 3) as unknown as Vector,
    alongColumn: orientation.slice(3) as unknown as Vector,
    columnSpacing: spacing?.column ?? 1,
    rowSpacing: spacing?.row ?? 1,
  };
}

function lookupOf(set: DataSet, descriptor: string, data: string): Lookup | null {
  const [entries, first, bits] = numbers(set, descriptor);
  const raw = words(set, data);
  if (bits === undefined || raw === null) return null;
  const count = entries === 0 ? 65536 : entries;
  // Eight-bit tables may be packed two entries to a word (PS3.3 C.11.1.1.1).
  const values = bits <= 8 && raw.length < count ? Uint16Array.from(new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength)) : raw;
  return values.length === 0 ? null : { first, bits, values };
}

function paletteOf(set: DataSet): Palette | null {
  const red = lookupOf(set, TAG.RedDescriptor, TAG.RedData);
  const green = lookupOf(set, TAG.GreenDescriptor, TAG.GreenData);
  const blue = lookupOf(set, TAG.BlueDescriptor, TAG.BlueData);
  return red !== null && green !== null && blue !== null ? { red, green, blue } : null;
}

function voiFunctionOf(name: string | null): VoiFunction {
  return name === "SIGMOID" || name === "LINEAR_EXACT" ? name : "LINEAR";
}

function readableUnit(type: string | null): string {
  return type === null || type === "US" ? "" : type;
}

function rateOf(set: DataSet): number | null {
  const time = number(set, TAG.FrameTime);
  const rate = number(set, TAG.RecommendedDisplayFrameRate) ?? number(set, TAG.CineRate) ?? (time !== null && time > 0 ? 1000 / time : null);
  return rate !== null && rate > 0 ? Math.min(120, rate) : null;
}
