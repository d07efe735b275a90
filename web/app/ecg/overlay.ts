/** Calipers and crosshair above the paper. */
import { beatsPerMinute, milliseconds, millivolts, type Calipers } from "./calipers";
import { cellAt, type Paper, type PaperSettings } from "./layout";

export interface Hover {
  readonly x: number;
  readonly y: number;
}

const LINE = "#0b6fb3";
const CHOSEN = "#d0342c";

/** Positions in millimetres of paper; *scale* is device pixels to a millimetre, *ratio* device pixels to a CSS pixel. */
export function drawOverlay(
  context: CanvasRenderingContext2D, paper: Paper, settings: PaperSettings, calipers: Calipers, hover: Hover | null, scale: number, ratio: number,
): void {
  const { canvas } = context;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.font = `${12 * ratio}px system-ui,sans-serif`;
  if (hover !== null) drawHover(context, paper, settings, hover, scale, ratio);
  const { time, amplitude, chosen } = calipers;
  const color = (kind: string, end: number): string => (chosen?.kind === kind && chosen.end === end ? CHOSEN : LINE);
  context.lineWidth = 1.5 * ratio;
  time?.forEach((x, end) => stroke(context, color("time", end), x * scale, 0, x * scale, canvas.height));
  amplitude?.forEach((y, end) => stroke(context, color("amplitude", end), 0, y * scale, canvas.width, y * scale));
  if (time !== null) {
    const rate = beatsPerMinute(time, settings.speed);
    const text = `${Math.round(milliseconds(time, settings.speed))} ms${rate === null || rate > 400 ? "" : `   ${Math.round(rate)} bpm`}`;
    const y = 14 * ratio;
    stroke(context, LINE, time[0] * scale, y, time[1] * scale, y);
    tag(context, text, ((time[0] + time[1]) / 2) * scale, y, ratio);
  }
  if (amplitude !== null) {
    const x = canvas.width - 46 * ratio;
    stroke(context, LINE, x, amplitude[0] * scale, x, amplitude[1] * scale);
    tag(context, `${millivolts(amplitude, settings.gain).toFixed(2)} mV`, x, ((amplitude[0] + amplitude[1]) / 2) * scale, ratio);
  }
}

function drawHover(context: CanvasRenderingContext2D, paper: Paper, settings: PaperSettings, { x, y }: Hover, scale: number, ratio: number): void {
  context.lineWidth = ratio;
  context.setLineDash([4 * ratio, 4 * ratio]);
  stroke(context, "rgba(11,111,179,.5)", x * scale, 0, x * scale, context.canvas.height);
  stroke(context, "rgba(11,111,179,.5)", 0, y * scale, context.canvas.width, y * scale);
  context.setLineDash([]);
  const cell = cellAt(paper, x, y);
  if (cell === null) return;
  const seconds = cell.startS + (x - cell.x) / settings.speed;
  const level = ((cell.inverted ? -1 : 1) * (cell.baseline - y)) / settings.gain;
  tag(context, `${cell.lead}  ${seconds.toFixed(2)} s  ${level.toFixed(2)} mV`, x * scale + 70 * ratio, y * scale - 14 * ratio, ratio);
}

function stroke(context: CanvasRenderingContext2D, color: string, x0: number, y0: number, x1: number, y1: number): void {
  context.strokeStyle = color;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function tag(context: CanvasRenderingContext2D, text: string, x: number, y: number, ratio: number): void {
  const wide = context.measureText(text).width + 12 * ratio;
  const left = Math.max(0, Math.min(context.canvas.width - wide, x - wide / 2));
  const top = Math.max(0, y - 9 * ratio);
  context.fillStyle = "rgba(255,255,255,.94)";
  context.fillRect(left, top, wide, 18 * ratio);
  context.strokeStyle = LINE;
  context.lineWidth = ratio;
  context.strokeRect(left, top, wide, 18 * ratio);
  context.fillStyle = "#0b3f63";
  context.textAlign = "left";
  context.fillText(text, left + 6 * ratio, top + 13 * ratio);
}
