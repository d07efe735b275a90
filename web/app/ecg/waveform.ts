/** The samples of a recording, as the viewer holds them, and the leads by their usual names. */
import { fetchJson, FrameUnavailable } from "../dicom/fetching";

/** A stretch of a recording: one array of millivolts a lead, NaN where a sample is missing. */
export interface Waveform {
  readonly rate: number;
  readonly leads: readonly string[];
  readonly millivolts: readonly Float32Array[];
  /** Where this stretch begins in the recording, in seconds. */
  readonly startS: number;
  /** Length of the whole recording. */
  readonly totalS: number;
}

/** The clinical order of twelve leads. */
export const STANDARD = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"] as const;

const BY_UPPER = new Map(STANDARD.map((name) => [name.toUpperCase(), name as string]));

/** "Lead I (Einthoven)", "LEAD_avr", "MDC_ECG_LEAD_V1" and "I" are one lead each, whoever made the file. */
export function leadName(written: string): string {
  const bare = written.replace(/\(.*\)/, "").replace(/^(MDC_ECG_)?LEAD[\s_]*/i, "").trim();
  return BY_UPPER.get(bare.toUpperCase()) ?? (bare === "" ? written : bare);
}

/** Fetch from *startS* on: the whole recording when short, else what the server gives at once. Throws FrameUnavailable. */
export async function fetchWaveform(sopInstanceUid: string, startS = 0, seconds: number | null = null): Promise<Waveform> {
  const query = new URLSearchParams({ ...(startS > 0 && { start_s: String(startS) }), ...(seconds !== null && { seconds: String(seconds) }) });
  return waveformOf(await fetchJson(`/api/v1/recordings/${encodeURIComponent(sopInstanceUid)}/waveform${query.size > 0 ? `?${query}` : ""}`));
}

/** Read the API's JSON; throws FrameUnavailable when it is not a waveform. */
export function waveformOf(value: unknown): Waveform {
  const body = value as {
    sampling_frequency_hz?: number; leads?: string[]; microvolts?: (number | null)[][]; start_s?: number; total_s?: number;
  } | null;
  const rate = body?.sampling_frequency_hz ?? 0;
  if (!(rate > 0) || !Array.isArray(body?.leads) || !Array.isArray(body.microvolts) || body.leads.length !== body.microvolts.length) {
    throw new FrameUnavailable("broken", "waveform");
  }
  const millivolts = body.microvolts.map((lead) => Float32Array.from(lead, (sample) => (sample === null ? NaN : sample / 1000)));
  const startS = body.start_s ?? 0;
  return { rate, leads: body.leads.map(leadName), millivolts, startS, totalS: body.total_s ?? startS + (millivolts[0]?.length ?? 0) / rate };
}

/** The end of the stretch, in seconds of the recording. */
export function endOf(waveform: Waveform): number {
  return waveform.startS + (waveform.millivolts[0]?.length ?? 0) / waveform.rate;
}
