/** What a reader set once and expects to find again: the paper's look and the measured size of this screen's millimetre. */
import { LAYOUTS, type LayoutName } from "./layout";

/** CSS pixels to a millimetre where nobody has measured: 96 to the inch. */
export const NOMINAL = 96 / 25.4;

const KEPT_AS = "telemed.ecg";

export interface Preferences {
  readonly layout: LayoutName;
  readonly cabrera: boolean;
  readonly night: boolean;
  /** CSS pixels to a real millimetre on this screen, set against a ruler. */
  readonly pixelsPerMm: number;
}

const DEFAULTS: Preferences = { layout: "3x4+1R", cabrera: false, night: false, pixelsPerMm: NOMINAL };

export function readPreferences(): Preferences {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT_AS) ?? "{}") as Partial<Preferences>;
    const pixelsPerMm = Number(kept.pixelsPerMm);
    return {
      layout: LAYOUTS.find((one) => one === kept.layout) ?? "3x4+1R",
      cabrera: kept.cabrera === true,
      night: kept.night === true,
      pixelsPerMm: pixelsPerMm >= 2 && pixelsPerMm <= 12 ? pixelsPerMm : NOMINAL,
    };
  } catch {
    // Somebody else's text, or a browser that keeps nothing: start afresh.
    return DEFAULTS;
  }
}

export function keepPreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify(preferences));
  } catch {
    // A private window may refuse; the setting then holds for this page only.
  }
}
