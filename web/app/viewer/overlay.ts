/** Everything drawn above the picture: corners, letters, scale bar, position strip, measurements, pointers. */
import { scaleOf, toView, type Camera } from "../math/camera";
import { roundLength } from "../math/geometry";
import { edgeLetters } from "../math/orientation";
import type { ImagePoint } from "../math/spaces";
import type { Series, Slice } from "../dicom/series";
import { spacingFor } from "../dicom/ultrasound";
import { captionOf, valueText, type MeasureKind } from "./measurements";
import type { Viewport } from "./viewport";

/** The few words written on the canvas, in the reader's language. */
export interface OverlayWords {
  readonly window: string;
  readonly zoom: string;
  readonly location: string;
  readonly thickness: string;
  readonly series: string;
  readonly detector: string;
  readonly keyImage: string;
}

const FONT = '12px "PingFang SC","Microsoft YaHei","Noto Sans SC","Noto Sans SC Variable",system-ui,sans-serif';
const LINE = 17;
const INK = "#d7e3ea";
const QUIET = "#8aa0ac";
const MEASURE = "#ffd34d";
const CHOSEN = "#5ad1ff";
const GOOD = "#46c28e";

export function drawOverlay(context: CanvasRenderingContext2D, ratio: number, viewport: Viewport, words: OverlayWords): void {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { view } = viewport.camera;
  context.clearRect(0, 0, view.width, view.height);
  const { slice, source } = viewport;
  if (slice === null || source === null) return;
  context.font = FONT;
  context.lineJoin = "round";
  drawMeasurements(context, viewport, slice);
  drawPointers(context, viewport, slice);
  drawStrip(context, viewport);
  if (viewport.frame === undefined && viewport.error === undefined) drawRing(context, viewport);
  if (!viewport.showText) return;
  drawCorners(context, viewport, slice, source.series, words);
  drawLetters(context, viewport.camera, slice);
  drawScale(context, viewport.camera, slice);
}

function drawCorners(context: CanvasRenderingContext2D, viewport: Viewport, slice: Slice, series: Series, words: OverlayWords): void {
  const { width, height } = viewport.camera.view;
  const narrow = width < 420;
  const { patient } = series;
  const topLeft = [patient.name ?? "", ...(narrow ? [] : [patient.id ?? "", [patient.sex, patient.age].filter(Boolean).join(" ")])];
  const date = series.studyDate === null ? "" : series.studyDate.replace(/^(\d{4})(\d\d)(\d\d).*$/, "$1-$2-$3");
  const topRight = [date, ...(narrow ? [] : [series.institution ?? "", series.studyDescription])];
  const bottomLeft = [
    ...(narrow ? [] : [`${series.modality} ${words.series} ${series.number ?? ""} ${series.description}`]),
    ...(narrow || slice.location === null ? [] : [`${words.location} ${slice.location.toFixed(1)} mm`]),
    ...(narrow || slice.thickness === null ? [] : [`${words.thickness} ${slice.thickness.toFixed(1)} mm`]),
    `${viewport.index + 1} / ${viewport.count}`,
  ];
  const { window, hover, frame } = viewport;
  const value = hover === null || frame === undefined ? "" : valueText(frame, slice, hover);
  const bottomRight = [
    ...(value === "" ? [] : [value]),
    ...(narrow || slice.spacingOrigin !== "detector" ? [] : [words.detector]),
    ...(window === null ? [] : [`${words.window} ${figure(window.width)} / ${figure(window.center)}`]),
    `${words.zoom} ${Math.round(viewport.camera.zoom * 100)}%`,
  ];
  write(context, topLeft, 10, 18, "left", 1);
  write(context, topRight, width - 16, 18, "right", 1);
  write(context, bottomLeft, 10, height - 10, "left", -1);
  write(context, bottomRight, width - 16, height - 10, "right", -1);
  if (viewport.marked.some((one) => one.sop_instance_uid === slice.sopInstanceUid && one.frame === slice.frame)) {
    outlined(context, `★ ${words.keyImage}`, 10, 18 + LINE * topLeft.filter((line) => line !== "").length, "left", MEASURE);
  }
}

function drawLetters(context: CanvasRenderingContext2D, camera: Camera, slice: Slice): void {
  if (slice.plane === null) return;
  const { width, height } = camera.view;
  const letters = edgeLetters(slice.plane, camera);
  context.font = `600 ${FONT.replace("12px", "14px")}`;
  outlined(context, letters.left, 10, height / 2, "left", QUIET);
  outlined(context, letters.right, width - 20, height / 2, "right", QUIET);
  outlined(context, letters.top, width / 2, 18, "center", QUIET);
  outlined(context, letters.bottom, width / 2, height - 26, "center", QUIET);
  context.font = FONT;
}

function drawScale(context: CanvasRenderingContext2D, camera: Camera, slice: Slice): void {
  const spacing = spacingFor(slice, []) ?? slice.regions[0]?.spacing ?? null;
  if (spacing === null) return;
  const across = camera.rotation % 180 === 0 ? spacing.column : spacing.row / slice.aspect;
  const perMillimetre = scaleOf(camera) / across;
  const millimetres = roundLength((camera.view.width * 0.3) / perMillimetre);
  const length = millimetres * perMillimetre;
  const [left, y] = [(camera.view.width - length) / 2, camera.view.height - 12];
  context.strokeStyle = QUIET;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(left, y - 5);
  context.lineTo(left, y);
  context.lineTo(left + length, y);
  context.lineTo(left + length, y - 5);
  context.stroke();
  const label = millimetres >= 10 ? `${millimetres / 10} cm` : `${millimetres} mm`;
  outlined(context, label, left + length + 6, y + 2, "left", QUIET);
}

/** The right edge: where in the stack we are, and which slices are here already. */
function drawStrip(context: CanvasRenderingContext2D, viewport: Viewport): void {
  const { count, source } = viewport;
  if (count < 2 || source === null) return;
  const { width, height } = viewport.camera.view;
  const [top, tall, x] = [8, height - 16, width - 6];
  context.fillStyle = "rgba(255,255,255,.08)";
  context.fillRect(x, top, 3, tall);
  context.fillStyle = "rgba(90,170,150,.55)";
  const each = tall / count;
  for (let index = 0; index < count; index++) if (source.get(index) !== undefined) context.fillRect(x, top + index * each, 3, Math.max(1, each));
  context.fillStyle = INK;
  context.fillRect(x - 2, top + (viewport.index / (count - 1)) * (tall - 4), 7, 4);
}

function drawRing(context: CanvasRenderingContext2D, viewport: Viewport): void {
  const { width, height } = viewport.camera.view;
  const share = viewport.count === 0 ? 0 : (viewport.source?.loaded ?? 0) / viewport.count;
  context.lineWidth = 4;
  context.strokeStyle = "rgba(255,255,255,.15)";
  context.beginPath();
  context.arc(width / 2, height / 2, 22, 0, 2 * Math.PI);
  context.stroke();
  context.strokeStyle = GOOD;
  context.beginPath();
  context.arc(width / 2, height / 2, 22, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.max(0.04, share));
  context.stroke();
  outlined(context, `${Math.round(share * 100)}%`, width / 2, height / 2 + 4, "center", INK);
}

function drawMeasurements(context: CanvasRenderingContext2D, viewport: Viewport, slice: Slice): void {
  const { sketch } = viewport;
  for (const one of viewport.history.on(slice)) {
    if (one.id === sketch?.id) continue;
    drawShape(context, viewport, slice, one.kind, one.points, one.id === viewport.selected ? CHOSEN : MEASURE);
  }
  if (sketch !== null) drawShape(context, viewport, slice, sketch.kind, sketch.points, CHOSEN);
}

function drawShape(
  context: CanvasRenderingContext2D, viewport: Viewport, slice: Slice, kind: MeasureKind, points: readonly ImagePoint[], color: string,
): void {
  const at = points.map((point) => toView(viewport.camera, point));
  if (at.length === 0) return;
  for (const [style, width] of [["rgba(0,0,0,.75)", 3.5], [color, 1.5]] as const) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    if ((kind === "rectangle" || kind === "ellipse") && at.length === 2) {
      const [[x0, y0], [x1, y1]] = at;
      if (kind === "rectangle") context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
      else context.ellipse((x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2, 0, 0, 2 * Math.PI);
    } else {
      at.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    }
    for (const [x, y] of at) {
      context.moveTo(x - 4, y);
      context.lineTo(x + 4, y);
      context.moveTo(x, y - 4);
      context.lineTo(x, y + 4);
    }
    context.stroke();
  }
  const lines = captionOf(kind, points, slice, viewport.frame);
  const anchor = kind === "angle" ? at[Math.min(1, at.length - 1)] : at[at.length - 1];
  const x = Math.min(anchor[0] + 10, viewport.camera.view.width - 120);
  lines.forEach((line, index) => outlined(context, line, x, anchor[1] + 14 + index * 15, "left", color));
}

function drawPointers(context: CanvasRenderingContext2D, viewport: Viewport, slice: Slice): void {
  for (const pointer of viewport.pointers) {
    if (pointer.at === null || pointer.sop_instance_uid !== slice.sopInstanceUid || pointer.frame !== slice.frame) continue;
    const [x, y] = toView(viewport.camera, pointer.at as unknown as ImagePoint);
    context.fillStyle = pointer.color;
    context.strokeStyle = "#000";
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + 5, y + 15);
    context.lineTo(x + 8, y + 9);
    context.lineTo(x + 15, y + 6);
    context.closePath();
    context.fill();
    context.stroke();
    outlined(context, pointer.name, x + 14, y + 22, "left", pointer.color);
  }
}

function write(context: CanvasRenderingContext2D, lines: readonly string[], x: number, y: number, align: CanvasTextAlign, direction: 1 | -1): void {
  const shown = lines.filter((line) => line.trim() !== "");
  if (direction === -1) shown.reverse();
  shown.forEach((line, index) => outlined(context, line, x, y + index * LINE * direction, align, INK));
}

function outlined(context: CanvasRenderingContext2D, line: string, x: number, y: number, align: CanvasTextAlign, color: string): void {
  context.textAlign = align;
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0,0,0,.85)";
  context.strokeText(line, x, y);
  context.fillStyle = color;
  context.fillText(line, x, y);
}

function figure(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}
