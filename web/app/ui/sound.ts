/** Signals made by the machine itself (Web Audio): nothing to download, nothing to lose. */
import { readonly, ref } from "vue";

let context: AudioContext | null = null;
const state = ref(false);

/** Whether a sound would be heard: browsers keep quiet until somebody has clicked or pressed a key. */
export const audible = readonly(state);

function wake(): void {
  context ??= new AudioContext();
  void context.resume().then(() => (state.value = context?.state === "running"));
}

// A click, not its pointerdown: what the page then takes away must not move the button from under the finger.
for (const gesture of ["click", "keydown"] as const) {
  document.addEventListener(gesture, wake, { capture: true, passive: true });
}

function note(on: AudioContext, frequency: number, from: number, length: number): void {
  const tone = on.createOscillator();
  const volume = on.createGain();
  tone.type = "sine";
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, from);
  volume.gain.linearRampToValueAtTime(0.22, from + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.0008, from + length);
  tone.connect(volume).connect(on.destination);
  tone.start(from);
  tone.stop(from + length);
}

/** Two rising notes for news; three urgent pairs when *critical*. */
export function chime(critical = false): void {
  if (!context || context.state !== "running") return;
  const start = context.currentTime;
  if (!critical) {
    note(context, 659, start, 0.5);
    note(context, 880, start + 0.18, 0.7);
    return;
  }
  for (let pair = 0; pair < 3; pair++) {
    note(context, 988, start + pair * 0.5, 0.22);
    note(context, 784, start + pair * 0.5 + 0.22, 0.25);
  }
}
