/** The person's own camera and microphone: what there is, asked for once, given back at the end. */

/** Small and smooth enough for a township's line; the images under discussion never travel as video. */
const PICTURE: MediaTrackConstraints = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 } };
const VOICE: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** Why somebody only listens: nothing plugged in, not allowed, or a page that is not served securely. */
export type Silence = "no-device" | "not-allowed" | "insecure" | null;

export interface OwnMedia {
  readonly stream: MediaStream | null;
  readonly silence: Silence;
}

/** Ask for both, then for the voice alone; a person without either still sees, hears and points. */
export async function ownMedia(): Promise<OwnMedia> {
  if (!("mediaDevices" in navigator)) return { stream: null, silence: "insecure" };
  let silence: Silence = "no-device";
  for (const wanted of [{ audio: VOICE, video: PICTURE }, { audio: VOICE }, { video: PICTURE }]) {
    try {
      return { stream: await navigator.mediaDevices.getUserMedia(wanted), silence: null };
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") silence = "not-allowed";
    }
  }
  return { stream: null, silence };
}

/** Switch the microphone or the camera without asking anybody anew. */
export function setEnabled(stream: MediaStream | null, kind: "audio" | "video", on: boolean): void {
  for (const track of stream?.getTracks() ?? []) if (track.kind === kind) track.enabled = on;
}

export function has(stream: MediaStream | null, kind: "audio" | "video"): boolean {
  return stream?.getTracks().some((track) => track.kind === kind) ?? false;
}

export function giveBack(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
