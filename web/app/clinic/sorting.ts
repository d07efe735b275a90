/** What was dropped: DICOM objects, ECG recordings (of one or several files), and what neither is. */

export interface Picked {
  /** With its folders, as far as the browser tells: two series may hold files of one name. */
  path: string;
  file: File;
}

export type Parcel =
  | { kind: "dicom"; name: string; files: [Picked] }
  | { kind: "recording"; name: string; files: Picked[] }
  | { kind: "refused"; name: string; files: Picked[]; why: "index" | "empty" | "lonely" | "unknown" };

const RECORDING = /\.(csv|xml|aecg|scp|edf|bdf|mwf|mfr|mfer|ecg)$/i;
const SIGNAL = /\.(dat|mat)$/i;
const HEADER = /\.hea$/i;
/** DICOM files often have no suffix, a UID's last number, or one of these. */
const MAYBE_DICOM = /(\.(dcm|dicom|ima|img)|(^|\/)[^./]+|\.\d+)$/i;
/** No WFDB header is longer (bytes). */
const LONGEST_HEADER = 1_000_000;

/** PS3.10 section 7.1: 128 bytes of preamble, then "DICM". */
async function startsAsDicom(file: File): Promise<boolean> {
  const start = await file.slice(128, 132).text();
  return start === "DICM";
}

/** MATLAB 5 files are recordings by themselves; the older ones are a WFDB header's signal files. */
async function startsAsMatlab(file: File): Promise<boolean> {
  return (await file.slice(0, 10).text()) === "MATLAB 5.0";
}

const stem = (path: string): string => path.replace(/\.[^./]+$/, "");

/** What a WFDB header names: its signal files, or the headers of its segments ("name/3" begins the first line). */
async function named(header: File): Promise<string[]> {
  const lines = (await header.slice(0, LONGEST_HEADER).text()).split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#"));
  const names = lines.slice(1).map((line) => line.trim().split(/\s+/)[0] ?? "");
  return /^\S+\/\d/.test(lines[0] ?? "") ? names.map((name) => `${name}.hea`) : names;
}

/** The header with everything it names beside it, and the signal files of its own name. */
async function record(header: Picked, picked: readonly Picked[]): Promise<Picked[]> {
  const folder = header.path.slice(0, header.path.lastIndexOf("/") + 1);
  const files = new Set([header]);
  for (const one of files) {
    if (!HEADER.test(one.path)) continue;
    const names = new Set((await named(one.file)).map((name) => folder + name));
    for (const other of picked) {
      if (names.has(other.path) || (SIGNAL.test(other.path) && stem(other.path) === stem(one.path))) files.add(other);
    }
  }
  return [...files];
}

/** Sort *picked* into what is sent together; a WFDB header makes one parcel with its signal files and segments. */
export async function sorted(picked: readonly Picked[]): Promise<Parcel[]> {
  const parcels: Parcel[] = [];
  const records = new Map<Picked, Picked[]>();
  for (const one of picked) if (HEADER.test(one.path)) records.set(one, await record(one, picked));
  const owned = new Set([...records.values()].flatMap((files) => files.slice(1)));
  for (const one of picked) {
    const { path, file } = one;
    const name = path.split("/").at(-1) ?? path;
    const refuse = (why: "index" | "empty" | "lonely" | "unknown"): number => parcels.push({ kind: "refused", name, files: [one], why });
    if (name.startsWith(".") || name === "Thumbs.db") continue;
    if (file.size === 0) refuse("empty");
    else if (name.toUpperCase() === "DICOMDIR") refuse("index");
    else if (await startsAsDicom(file)) parcels.push({ kind: "dicom", name, files: [one] });
    else if (owned.has(one)) continue;
    else if (HEADER.test(path)) {
      const files = records.get(one) ?? [one];
      if (files.length > 1) parcels.push({ kind: "recording", name, files });
      else refuse("lonely");
    } else if (SIGNAL.test(path) && !(await startsAsMatlab(file))) refuse("lonely");
    else if (SIGNAL.test(path) || RECORDING.test(path)) parcels.push({ kind: "recording", name, files: [one] });
    else if (MAYBE_DICOM.test(path)) parcels.push({ kind: "dicom", name, files: [one] });
    else refuse("unknown");
  }
  return parcels;
}
