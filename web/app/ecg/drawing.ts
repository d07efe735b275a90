/** Paper and trace as one bitmap. The overlay with calipers lies on its own canvas, so that dragging redraws nothing here. */
import { WAVES, type Analysis } from "./analysis";
import { MARGIN, type Cell, type Paper, type PaperSettings } from "./layout";
import { endOf, type Waveform } from "./waveform";

export interface Ink {
  readonly paper: string;
  readonly fine: string;
  readonly coarse: string;
  readonly trace: string;
  readonly text: string;
  readonly quiet: string;
}

export const DAY: Ink = { paper: "#fffaf8", fine: "#f8dcd8", coarse: "#e9aaa4", trace: "#101418", text: "#1c2b33", quiet: "#7a5f5c" };
export const NIGHT: Ink = { paper: "#12171a", fine: "#2a2123", coarse: "#4a3032", trace: "#dff5e4", text: "#dde6ea", quiet: "#9a8583" };

const WAVE_COLORS = { p: "rgba(46,125,210,.20)", qrs: "rgba(210,90,40,.20)", t: "rgba(60,160,80,.20)" } as const;
const WARNING = "#c43c2e";

export interface DrawingWords {
  readonly missing: string;
  readonly unusable: string;
  readonly doubtful: string;
  /** The line below the traces: speed, gain, filter, rate, time. */
  readonly foot: string;
}

export interface DrawingOptions {
  readonly settings: PaperSettings;
  /** Device pixels to a millimetre. */
  readonly scale: number;
  readonly ink: Ink;
  /** Filtered or not; same leads and length as the waveform. */
  readonly shown: readonly Float32Array[];
  readonly beats: boolean;
  readonly waves: boolean;
}

export function drawPaper(
  canvas: HTMLCanvasElement, paper: Paper, waveform: Waveform, analysis: Analysis | null, options: DrawingOptions, words: DrawingWords,
): void {
  const { scale, ink, settings } = options;
  canvas.width = Math.round(paper.width * scale);
  canvas.height = Math.round(paper.height * scale);
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) return;
  drawGrid(context, paper, scale, ink);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  for (const baseline of paper.pulses) drawPulse(context, baseline, settings, ink);
  const strip = paper.cells.findLast((cell) => cell.seconds >= paper.pageS);
  for (const cell of paper.cells) {
    const lead = waveform.leads.indexOf(cell.lead);
    if (options.waves && analysis !== null) drawWaves(context, cell, analysis);
    if (lead >= 0) drawTrace(context, cell, waveform, options.shown[lead], options);
    if (options.beats && analysis !== null) drawBeats(context, cell, analysis, ink, cell === strip);
    drawLabel(context, cell, lead >= 0, analysis, ink, words);
  }
  write(context, words.foot, MARGIN, paper.height - 2.5, 3, ink.text);
}

function drawGrid(context: CanvasRenderingContext2D, paper: Paper, scale: number, ink: Ink): void {
  context.fillStyle = ink.paper;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  // Below two and a half device pixels to the millimetre the fine lines would be a blur that hides the trace.
  const steps = scale < 2.5 ? ([5] as const) : ([1, 5] as const);
  for (const step of steps) {
    context.strokeStyle = step === 1 ? ink.fine : ink.coarse;
    context.lineWidth = step === 1 ? Math.max(1, Math.round(scale * 0.1)) : Math.max(1, Math.round(scale * 0.18));
    const half = context.lineWidth % 2 === 1 ? 0.5 : 0;
    context.beginPath();
    for (let mm = 0; mm <= paper.width; mm += step) line(context, Math.round(mm * scale) + half, 0, 0, context.canvas.height);
    for (let mm = 0; mm <= paper.height; mm += step) line(context, 0, Math.round(mm * scale) + half, context.canvas.width, 0);
    context.stroke();
  }
}

function line(context: CanvasRenderingContext2D, x: number, y: number, across: number, down: number): void {
  context.moveTo(x, y);
  context.lineTo(x + across, y + down);
}

/** One millivolt for 200 ms, as every recorder prints it. */
function drawPulse(context: CanvasRenderingContext2D, baseline: number, { speed, gain }: PaperSettings, ink: Ink): void {
  const wide = Math.min(0.2 * speed, MARGIN - 4);
  context.strokeStyle = ink.trace;
  context.lineWidth = 0.3;
  context.beginPath();
  context.moveTo(1, baseline);
  context.lineTo(2, baseline);
  context.lineTo(2, baseline - gain);
  context.lineTo(2 + wide, baseline - gain);
  context.lineTo(2 + wide, baseline);
  context.lineTo(3 + wide, baseline);
  context.stroke();
}

function drawTrace(context: CanvasRenderingContext2D, cell: Cell, waveform: Waveform, samples: Float32Array, options: DrawingOptions): void {
  const { speed, gain } = options.settings;
  const { rate } = waveform;
  const sign = cell.inverted ? gain : -gain;
  const from = Math.max(0, Math.floor((cell.startS - waveform.startS) * rate));
  const to = Math.min(samples.length, Math.ceil((cell.startS - waveform.startS + cell.seconds) * rate) + 1);
  const perPixel = rate / (speed * options.scale);
  const step = Math.max(1, Math.floor(perPixel));
  const x = (index: number): number => cell.x + (index / rate + waveform.startS - cell.startS) * speed;
  context.save();
  context.beginPath();
  context.rect(cell.x, 0, cell.width, options.scale * 1e4);
  context.clip();
  context.strokeStyle = options.ink.trace;
  context.lineWidth = Math.max(0.25, 1.1 / options.scale);
  // Bevelled and split: one long round-joined path is an order of magnitude slower.
  context.lineJoin = "bevel";
  context.beginPath();
  let [open, points] = [false, 0];
  for (let index = from; index < to; index += step) {
    let [low, high] = [Infinity, -Infinity];
    for (let each = index; each < Math.min(to, index + step); each++) {
      const value = samples[each];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) {
      // Nothing but missing samples: the pen is lifted, nothing is invented.
      open = false;
      continue;
    }
    const at = x(index);
    if (!open) context.moveTo(at, cell.baseline + high * sign);
    context.lineTo(at, cell.baseline + high * sign);
    if (low !== high) context.lineTo(at, cell.baseline + low * sign);
    open = true;
    if (++points % 64 === 0) {
      context.stroke();
      context.beginPath();
      context.moveTo(at, cell.baseline + low * sign);
    }
  }
  context.stroke();
  context.restore();
}

function drawWaves(context: CanvasRenderingContext2D, cell: Cell, analysis: Analysis): void {
  const found = analysis.delineation[cell.lead];
  if (found === undefined) return;
  const x = (sample: number): number => cell.x + (sample / analysis.sampling_frequency_hz - cell.startS) * (cell.width / cell.seconds);
  for (const [wave, [on, off]] of Object.entries(WAVES) as [keyof typeof WAVES, readonly [string, string]][]) {
    const ends = found[off] ?? [];
    context.fillStyle = WAVE_COLORS[wave];
    for (const start of found[on] ?? []) {
      const end = ends.find((each) => each > start);
      if (end === undefined) continue;
      const [left, right] = [Math.max(cell.x, x(start)), Math.min(cell.x + cell.width, x(end))];
      if (right > left) context.fillRect(left, cell.baseline - cell.height * 0.42, right - left, cell.height * 0.72);
    }
  }
}

/** Marks under the R peaks; with *intervals*, RR in milliseconds between them: on one strip only, or the page drowns in figures. */
function drawBeats(context: CanvasRenderingContext2D, cell: Cell, analysis: Analysis, ink: Ink, intervals: boolean): void {
  const perSecond = cell.width / cell.seconds;
  const y = cell.top + cell.height - 1.2;
  let before: number | null = null;
  for (const peak of analysis.r_peaks) {
    const at = peak / analysis.sampling_frequency_hz;
    const x = cell.x + (at - cell.startS) * perSecond;
    if (x >= cell.x && x < cell.x + cell.width) {
      context.fillStyle = "#2b7fb8";
      context.beginPath();
      context.moveTo(x, y - 1.6);
      context.lineTo(x - 0.8, y);
      context.lineTo(x + 0.8, y);
      context.fill();
      const middle = before === null ? -1 : cell.x + ((at + before) / 2 - cell.startS) * perSecond;
      if (before !== null && intervals && middle > cell.x + 3) write(context, String(Math.round((at - before) * 1000)), middle - 2.5, y, 2.4, ink.quiet);
    }
    before = at;
  }
}

function drawLabel(context: CanvasRenderingContext2D, cell: Cell, there: boolean, analysis: Analysis | null, ink: Ink, words: DrawingWords): void {
  const y = cell.top + 4;
  context.strokeStyle = ink.trace;
  context.lineWidth = 0.25;
  if (cell.x > MARGIN) {
    context.beginPath();
    line(context, cell.x, cell.baseline - 3, 0, 2);
    line(context, cell.x, cell.baseline + 1, 0, 2);
    context.stroke();
  }
  write(context, cell.label, cell.x + 1, y, 3.6, ink.text, "600 ");
  const quality = analysis?.quality[cell.lead];
  const note = !there ? words.missing : quality?.usable === false ? words.unusable : (quality?.reasons.length ?? 0) > 0 ? words.doubtful : "";
  if (note !== "") write(context, note, cell.x + 3 + cell.label.length * 2.6, y, 2.6, WARNING);
}

function write(context: CanvasRenderingContext2D, text: string, x: number, y: number, size: number, color: string, weight = ""): void {
  context.font = `${weight}${size}px "PingFang SC","Microsoft YaHei","Noto Sans SC","Noto Sans SC Variable",system-ui,sans-serif`;
  context.textAlign = "left";
  context.fillStyle = color;
  context.fillText(text, x, y);
}

/** The stretch of time a page shows, as far as there are samples, in seconds. */
export function shownSpan(paper: Paper, settings: PaperSettings, waveform: Waveform): readonly [number, number] {
  return [settings.startS, Math.min(settings.startS + paper.pageS, endOf(waveform), waveform.totalS)];
}
