/** Window presets on the keys 1 to 9. 1 is always the image's own window and 9 what is really there. */
import type { Window } from "./voi";

export interface Preset {
  /** The digit key, and the place in the menu. */
  readonly key: number;
  /** Locale key below `viewer.preset`. */
  readonly name: string;
  /** "own": the image's window; "automatic": from the pixels; else fixed, in Hounsfield units. */
  readonly window: Window | "own" | "automatic";
}

const OWN: Preset = { key: 1, name: "own", window: "own" };
const AUTOMATIC: Preset = { key: 9, name: "automatic", window: "automatic" };

const CT: readonly Preset[] = [
  { key: 2, name: "brain", window: { center: 40, width: 80 } },
  { key: 3, name: "stroke", window: { center: 35, width: 40 } },
  { key: 4, name: "subdural", window: { center: 75, width: 215 } },
  { key: 5, name: "bone", window: { center: 500, width: 2000 } },
  { key: 6, name: "lung", window: { center: -600, width: 1500 } },
  { key: 7, name: "mediastinum", window: { center: 50, width: 350 } },
  { key: 8, name: "abdomen", window: { center: 60, width: 400 } },
];

/** The presets that mean something for *modality*: Hounsfield windows for CT alone. */
export function presetsFor(modality: string): readonly Preset[] {
  return modality === "CT" ? [OWN, ...CT, AUTOMATIC] : [OWN, AUTOMATIC];
}
