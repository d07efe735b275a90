/** Reading attributes from the DICOM JSON model (PS3.18 annex F), as WADO-RS metadata sends it. Missing is null, never a throw. */

interface Attribute {
  readonly vr?: string;
  readonly Value?: readonly unknown[];
  readonly InlineBinary?: string;
  readonly BulkDataURI?: string;
}

/** One data set: eight hexadecimal digits to attribute. */
export type DataSet = Readonly<Record<string, Attribute | undefined>>;

/** The tags the viewer reads, by keyword. */
export const TAG = {
  SOPClassUID: "00080016", SOPInstanceUID: "00080018", StudyDate: "00080020", StudyTime: "00080030", Modality: "00080060",
  InstitutionName: "00080080", StudyDescription: "00081030", SeriesDescription: "0008103E",
  PatientName: "00100010", PatientID: "00100020", PatientBirthDate: "00100030", PatientSex: "00100040", PatientAge: "00101010",
  SliceThickness: "00180050", CineRate: "00180040", FrameTime: "00181063", ImagerPixelSpacing: "00181164",
  RecommendedDisplayFrameRate: "00082144", UltrasoundRegions: "00186011", RegionSpatialFormat: "00186012",
  RegionMinX: "00186018", RegionMinY: "0018601A", RegionMaxX: "0018601C", RegionMaxY: "0018601E",
  PhysicalUnitsX: "00186024", PhysicalUnitsY: "00186026", PhysicalDeltaX: "0018602C", PhysicalDeltaY: "0018602E",
  StudyInstanceUID: "0020000D", SeriesInstanceUID: "0020000E", SeriesNumber: "00200011", InstanceNumber: "00200013",
  ImagePosition: "00200032", ImageOrientation: "00200037", FrameOfReference: "00200052", SliceLocation: "00201041",
  PlanePosition: "00209113", PlaneOrientation: "00209116",
  SamplesPerPixel: "00280002", Photometric: "00280004", NumberOfFrames: "00280008", Rows: "00280010", Columns: "00280011",
  PixelSpacing: "00280030", PixelAspectRatio: "00280034", BitsAllocated: "00280100", BitsStored: "00280101",
  PixelRepresentation: "00280103", WindowCenter: "00281050", WindowWidth: "00281051", RescaleIntercept: "00281052",
  RescaleSlope: "00281053", RescaleType: "00281054", WindowExplanation: "00281055", VoiLutFunction: "00281056",
  RedDescriptor: "00281101", GreenDescriptor: "00281102", BlueDescriptor: "00281103",
  RedData: "00281201", GreenData: "00281202", BlueData: "00281203",
  ModalityLut: "00283000", VoiLut: "00283010", LutDescriptor: "00283002", LutData: "00283006", PixelMeasures: "00289110",
  FrameVoiLut: "00289132", PixelValueTransformation: "00289145", PresentationLutShape: "20500020", SharedGroups: "52009229", PerFrameGroups: "52009230",
} as const;

export function text(set: DataSet, tag: string): string | null {
  const value = set[tag]?.Value?.[0];
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

export function texts(set: DataSet, tag: string): string[] {
  return (set[tag]?.Value ?? []).filter((value): value is string => typeof value === "string");
}

/** All values as finite numbers (DS and IS may come as strings); what is none is left out. */
export function numbers(set: DataSet, tag: string): number[] {
  return (set[tag]?.Value ?? [])
    .map((value) => (typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN))
    .filter((value) => Number.isFinite(value));
}

export function number(set: DataSet, tag: string): number | null {
  return numbers(set, tag)[0] ?? null;
}

export function items(set: DataSet, tag: string): DataSet[] {
  return (set[tag]?.Value ?? []).filter((value): value is DataSet => typeof value === "object" && value !== null);
}

/** A person's name for people: ideographic if there is one, else alphabetic, carets as spaces. */
export function personName(set: DataSet, tag: string): string | null {
  const value = set[tag]?.Value?.[0];
  if (typeof value === "string") return readable(value);
  if (typeof value !== "object" || value === null) return null;
  const groups = value as Record<string, unknown>;
  for (const group of ["Ideographic", "Alphabetic", "Phonetic"]) {
    const name = groups[group];
    const shown = typeof name === "string" ? readable(name) : null;
    if (shown !== null) return shown;
  }
  return null;
}

/** The 16-bit words of an attribute given inline or as numbers; null when only a reference was sent. */
export function words(set: DataSet, tag: string): Uint16Array | null {
  const attribute = set[tag];
  if (attribute?.InlineBinary !== undefined) {
    const raw = atob(attribute.InlineBinary);
    const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
    return new Uint16Array(bytes.buffer, 0, bytes.length >> 1);
  }
  const values = numbers(set, tag);
  return values.length > 0 ? Uint16Array.from(values, (value) => value & 0xffff) : null;
}

function readable(name: string): string | null {
  const shown = name.replace(/\^+/g, " ").trim();
  return shown === "" ? null : shown;
}
