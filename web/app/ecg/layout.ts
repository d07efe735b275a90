/** Where each lead lies on the paper. All in millimetres from the paper's upper left corner, independent of any screen. */
import { STANDARD } from "./waveform";

export const LAYOUTS = ["3x4+1R", "3x4+3R", "6x2", "12x1"] as const;
export type LayoutName = (typeof LAYOUTS)[number];

export interface PaperSettings {
  readonly layout: LayoutName;
  /** mm/s: 12.5, 25 or 50. */
  readonly speed: number;
  /** mm/mV: 5, 10 or 20. */
  readonly gain: number;
  /** Limb leads in Cabrera's order, aVR turned over. */
  readonly cabrera: boolean;
  /** Where the page begins in the recording, in seconds. */
  readonly startS: number;
}

export interface Cell {
  readonly lead: string;
  readonly label: string;
  /** Drawn upside down (-aVR). */
  readonly inverted: boolean;
  readonly x: number;
  readonly width: number;
  /** The y of zero millivolts. */
  readonly baseline: number;
  /** What the cell may use, for marks and hit tests. */
  readonly top: number;
  readonly height: number;
  readonly startS: number;
  readonly seconds: number;
  readonly rhythm: boolean;
}

export interface Paper {
  readonly width: number;
  readonly height: number;
  readonly cells: readonly Cell[];
  /** The baselines before which a calibration pulse is drawn. */
  readonly pulses: readonly number[];
  /** Seconds from one edge of the traces to the other. */
  readonly pageS: number;
}

/** Room for the calibration pulse, the traces, and the line of text below them. */
export const MARGIN = 12;
export const TRACES = 250;
const TOP = 6;
const FOOT = 8;

const LIMB = ["I", "II", "III", "aVR", "aVL", "aVF"];
const CABRERA = ["aVL", "I", "-aVR", "II", "aVF", "III"];
const ROW_HEIGHT: Readonly<Record<LayoutName, number>> = { "3x4+1R": 30, "3x4+3R": 25, "6x2": 22, "12x1": 17 };
/** Leads that run through the whole page below the columns. */
const RHYTHM: Readonly<Record<LayoutName, readonly string[]>> = { "3x4+1R": ["II"], "3x4+3R": ["V1", "II", "V5"], "6x2": [], "12x1": [] };

/** Lay out the leads of a recording. Fewer or other leads than the twelve are written below each other. */
export function paperOf(settings: PaperSettings, leads: readonly string[]): Paper {
  const { layout, speed, gain, startS } = settings;
  const twelve = STANDARD.every((name) => leads.includes(name));
  const pageS = TRACES / speed;
  const limb = settings.cabrera ? CABRERA : LIMB;
  const order = twelve ? [...limb, ...STANDARD.slice(6)] : [...leads];
  const columns = !twelve || layout === "12x1" ? 1 : layout === "6x2" ? 2 : 4;
  const rows = Math.ceil(order.length / columns);
  // Tall waves need tall rows; the paper grows, the scale never shrinks.
  const each = ROW_HEIGHT[twelve ? layout : "3x4+1R"] * (gain === 20 ? 1.5 : 1);
  const width = TRACES / columns;
  const cell = (label: string, row: number, x: number, wide: number, from: number, rhythm: boolean): Cell => ({
    lead: label.replace("-", ""), label, inverted: label.startsWith("-"), x, width: wide, baseline: TOP + (row + 0.55) * each,
    top: TOP + row * each, height: each, startS: from, seconds: wide / speed, rhythm,
  });
  const cells = order.map((label, index) => {
    const column = Math.floor(index / rows);
    return cell(label, index % rows, MARGIN + column * width, width, startS + (column * width) / speed, false);
  });
  const rhythm = twelve ? RHYTHM[layout] : [];
  cells.push(...rhythm.map((lead, below) => cell(lead, rows + below, MARGIN, TRACES, startS, true)));
  const lines = rows + rhythm.length;
  return {
    width: MARGIN + TRACES + 2, height: TOP + lines * each + FOOT, cells, pageS,
    pulses: Array.from({ length: lines }, (_, row) => TOP + (row + 0.55) * each),
  };
}

/** The cell under a point of the paper, or null. */
export function cellAt(paper: Paper, x: number, y: number): Cell | null {
  return paper.cells.find((one) => x >= one.x && x < one.x + one.width && y >= one.top && y < one.top + one.height) ?? null;
}
