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

const RECORDING = /\.(csv|xml|scp|edf|bdf|mwf|mfer|ecg|hl7|json)$/i;
const SIGNAL = /\.(dat|mat)$/i;
const HEADER = /\.hea$/i;
/** DICOM files often have no suffix, a UID's last number, or one of these. */
const MAYBE_DICOM = /(\.(dcm|dicom|ima|img)|(^|\/)[^./]+|\.\d+)$/i;

/** PS3.10 section 7.1: 128 bytes of preamble, then "DICM". */
async function startsAsDicom(file: File): Promise<boolean> {
  const start = await file.slice(128, 132).text();
  return start === "DICM";
}

const stem = (path: string): string => path.replace(/\.[^./]+$/, "");

/** Sort *picked* into what is sent together; WFDB's header and signal files make one parcel. */
export async function sorted(picked: readonly Picked[]): Promise<Parcel[]> {
  const parcels: Parcel[] = [];
  const headers = new Set(picked.filter(({ path }) => HEADER.test(path)).map(({ path }) => stem(path)));
  const signals = new Set(picked.filter(({ path }) => SIGNAL.test(path)).map(({ path }) => stem(path)));
  for (const one of picked) {
    const { path, file } = one;
    const name = path.split("/").at(-1) ?? path;
    const refuse = (why: "index" | "empty" | "lonely" | "unknown"): number => parcels.push({ kind: "refused", name, files: [one], why });
    if (name.startsWith(".") || name === "Thumbs.db") continue;
    if (file.size === 0) refuse("empty");
    else if (name.toUpperCase() === "DICOMDIR") refuse("index");
    else if (await startsAsDicom(file)) parcels.push({ kind: "dicom", name, files: [one] });
    else if (HEADER.test(path)) {
      const belongs = picked.filter((other) => SIGNAL.test(other.path) && stem(other.path) === stem(path));
      if (signals.has(stem(path))) parcels.push({ kind: "recording", name, files: [one, ...belongs] });
      else refuse("lonely");
    } else if (SIGNAL.test(path)) {
      if (!headers.has(stem(path))) refuse("lonely");
    } else if (RECORDING.test(path)) parcels.push({ kind: "recording", name, files: [one] });
    else if (MAYBE_DICOM.test(path)) parcels.push({ kind: "dicom", name, files: [one] });
    else refuse("unknown");
  }
  return parcels;
}
