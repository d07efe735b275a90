/**
 * One pane: a stack of slices on two canvases, the picture below and the drawing above it.
 *
 * Plain TypeScript, no framework: whoever embeds it listens to `changes`. Nothing is drawn but in an animation frame, and
 * only when something changed; the canvases are sized from outside (`resize`), so that no layout is read while drawing.
 */
import { adapted, fitted, mirrored, onPicture, panned, scaleOf, toImage, turned, zoomedAt, type Camera, type Picture } from "../math/camera";
import { imagePoint, type ImagePoint, type ViewPoint } from "../math/spaces";
import { automaticWindow, type Look, type Window } from "../dicom/voi";
import { presetsFor } from "../dicom/presets";
import type { FrameUnavailable } from "../dicom/fetching";
import type { FrameSource } from "../dicom/source";
import type { Slice } from "../dicom/series";
import type { Frame } from "../dicom/frame";
import { drawOverlay, type OverlayWords } from "./overlay";
import { History, type MeasureKind } from "./measurements";
import { PicturePainter } from "./painter";
import { sameView, type RemotePointer, type ViewerPointer, type ViewerState } from "./state";

/** What a viewport tells about itself. */
export interface ViewportEvents {
  /** The reader changed what is shown: not called for what `apply` brought from elsewhere. */
  state(state: ViewerState): void;
  pointer(pointer: ViewerPointer): void;
  /** Loading, failing, playing, selecting: whatever a toolbar shows. */
  status(): void;
  /** The reader went from one slice to another. */
  scrolled(by: number): void;
}

/** A measurement being drawn or moved; not yet in the history. */
export interface Sketch {
  readonly id: number | null;
  readonly kind: MeasureKind;
  readonly points: readonly ImagePoint[];
}

const NOWHERE: Picture = { columns: 1, rows: 1, aspect: 1 };

export class Viewport {
  readonly history = new History();
  source: FrameSource | null = null;
  /** Measurement under the pointer or chosen for deletion. */
  selected: number | null = null;
  sketch: Sketch | null = null;
  hover: ImagePoint | null = null;
  pointers: readonly RemotePointer[] = [];
  marked: readonly { readonly sop_instance_uid: string; readonly frame: number }[] = [];
  showText = true;
  framesPerSecond = 15;

  readonly #painter: PicturePainter;
  readonly #overlay: CanvasRenderingContext2D;
  #index = 0;
  #camera: Camera = fitted(NOWHERE, { width: 1, height: 1 });
  #window: Window | null = null;
  #automatic: Window | null = null;
  #invert = false;
  #ratio = 1;
  #scheduled = 0;
  #stale = { picture: true, overlay: true };
  #busy = false;
  #settle: ReturnType<typeof setTimeout> | undefined;
  #told: ViewerState | null = null;
  #touched = false;
  #stop: (() => void) | null = null;
  #playing: number | null = null;

  constructor(
    private readonly picture: HTMLCanvasElement,
    private readonly drawing: HTMLCanvasElement,
    private readonly changes: ViewportEvents,
    private words: OverlayWords,
  ) {
    this.#painter = new PicturePainter(picture);
    const overlay = drawing.getContext("2d");
    if (overlay === null) throw new Error("this browser has no 2D canvas");
    this.#overlay = overlay;
  }

  get index(): number {
    return this.#index;
  }

  get count(): number {
    return this.source?.count ?? 0;
  }

  get camera(): Camera {
    return this.#camera;
  }

  get playing(): boolean {
    return this.#playing !== null;
  }

  get inverted(): boolean {
    return this.#invert;
  }

  get slice(): Slice | null {
    return this.source?.series.slices[this.#index] ?? null;
  }

  get frame(): Frame | undefined {
    return this.source?.get(this.#index);
  }

  get error(): FrameUnavailable | undefined {
    return this.source?.error(this.#index);
  }

  /** The window in use; null for colour, or before anything is known. */
  get window(): Window | null {
    const { slice, frame } = this;
    if (slice === null || slice.format.samples !== 1 || slice.palette !== null || frame?.kind === "color") return null;
    if (this.#window !== null) return this.#window;
    if (slice.windows.length > 0) return slice.windows[0];
    if (this.#automatic === null && frame?.kind === "grey") this.#automatic = automaticWindow(frame.pixels, slice.format, slice.modality);
    return this.#automatic;
  }

  /** Show a series from *index* on. With *byReader* false nobody is told: the reader did not ask for it. */
  show(source: FrameSource, index = 0, byReader = false): void {
    this.stop();
    this.#stop?.();
    this.source = source;
    this.#window = null;
    this.#automatic = null;
    this.#invert = false;
    this.#index = clamp(index, 0, source.count - 1);
    this.framesPerSecond = Math.round(source.series.framesPerSecond ?? 15);
    this.sketch = null;
    this.selected = null;
    this.#stop = source.listen({
      arrived: (arrived) => {
        this.#redraw(arrived === this.#index);
        if (arrived === this.#index) this.changes.status();
      },
      failed: () => {
        this.#redraw(false);
        this.changes.status();
      },
    });
    this.#camera = fitted(this.#pictureOf(), this.#camera.view);
    source.aim(this.#index);
    if (byReader) this.#touched = true;
    this.#redraw(true);
    this.changes.status();
  }

  /** Show nothing: another series is on its way, and the old one must not be taken for it. */
  empty(): void {
    this.stop();
    this.#stop?.();
    this.#stop = null;
    this.source = null;
    this.sketch = null;
    for (const told of ["data-frame", "data-instance", "data-window"]) this.picture.removeAttribute(told);
    this.#redraw(true);
  }

  /** The canvases' size in CSS pixels and the device pixels to one of them. */
  resize(width: number, height: number, ratio: number): void {
    if (width < 1 || height < 1) return;
    this.#ratio = ratio;
    for (const canvas of [this.picture, this.drawing]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.#camera = { ...this.#camera, view: { width, height } };
    this.#redraw(true);
  }

  speak(words: OverlayWords): void {
    this.words = words;
    this.#redraw(false);
  }

  scrollTo(index: number): void {
    const next = clamp(index, 0, this.count - 1);
    if (this.source === null || next === this.#index) return;
    const by = next - this.#index;
    this.#go(next);
    this.#touched = true;
    this.changes.scrolled(by);
  }

  scrollBy(by: number): void {
    this.scrollTo(this.#index + by);
  }

  /** Go where another pane went, without telling it again. */
  follow(index: number): void {
    if (this.source !== null && this.count > 0) this.#go(clamp(index, 0, this.count - 1));
  }

  setWindow(window: Window): void {
    this.#window = { center: window.center, width: Math.max(window.width, 1e-3) };
    this.#change();
  }

  /** Choose the preset of a digit key; false when this modality has none there. */
  preset(key: number): boolean {
    const { frame, slice } = this;
    const preset = presetsFor(this.source?.series.modality ?? "").find((one) => one.key === key);
    if (preset === undefined || slice === null) return false;
    if (preset.window === "own") this.#window = null;
    else if (preset.window !== "automatic") this.#window = preset.window;
    else if (frame?.kind === "grey") this.#window = automaticWindow(frame.pixels, slice.format, slice.modality);
    this.#change();
    return true;
  }

  pan(dx: number, dy: number): void {
    this.#camera = panned(this.#camera, dx, dy);
    this.#change();
  }

  zoomAt(at: ViewPoint, factor: number): void {
    this.#camera = zoomedAt(this.#camera, at, factor);
    this.#change();
  }

  fit(): void {
    this.#camera = { ...fitted(this.#camera.picture, this.#camera.view), rotation: this.#camera.rotation, flip: this.#camera.flip };
    this.#change();
  }

  /** One image pixel on one device pixel. */
  actualSize(): void {
    this.#camera = { ...this.#camera, zoom: this.#camera.zoom / (scaleOf(this.#camera) * this.#ratio) };
    this.#change();
  }

  turn(quarters: number): void {
    this.#camera = turned(this.#camera, quarters);
    this.#change();
  }

  mirror(): void {
    this.#camera = mirrored(this.#camera);
    this.#change();
  }

  invert(): void {
    this.#invert = !this.#invert;
    this.#change();
  }

  /** Everything as it was when the series was opened, but for the slice and what was measured. */
  reset(): void {
    this.#window = null;
    this.#invert = false;
    this.#camera = fitted(this.#camera.picture, this.#camera.view);
    this.#change();
  }

  play(): void {
    if (this.count < 2 || this.#playing !== null) return;
    let due = performance.now() + 1000 / this.framesPerSecond;
    const step = (now: number): void => {
      const next = (this.#index + 1) % this.count;
      // A frame that has not come yet is waited for: a skipped frame would be a skipped moment of the heart.
      if (now >= due && this.source?.get(next) !== undefined) {
        this.#go(next);
        this.#touched = true;
        due = Math.max(due + 1000 / this.framesPerSecond, now - 100);
      } else if (now >= due) {
        this.source?.aim(next);
        due = now;
      }
      this.#playing = requestAnimationFrame(step);
    };
    this.#playing = requestAnimationFrame(step);
    this.changes.status();
  }

  stop(): void {
    if (this.#playing === null) return;
    cancelAnimationFrame(this.#playing);
    this.#playing = null;
    this.changes.status();
  }

  retry(): void {
    this.source?.retry();
    this.#redraw(false);
    this.changes.status();
  }

  /** Something drawn above the picture changed. */
  touchOverlay(): void {
    this.#redraw(false);
  }

  /** The pointer is over *at* (view), or gone. */
  point(at: ViewPoint | null): void {
    this.hover = at === null ? null : toImage(this.#camera, at);
    const { slice } = this;
    if (slice !== null) {
      const on = this.hover !== null && onPicture(this.#camera.picture, this.hover);
      const position = on && this.hover !== null ? ([this.hover[0], this.hover[1]] as const) : null;
      this.changes.pointer({ sop_instance_uid: slice.sopInstanceUid, frame: slice.frame, at: position });
    }
    this.#redraw(false);
  }

  /** What is shown, for another screen; null while nothing is. */
  state(): ViewerState | null {
    const { slice, source } = this;
    if (slice === null || source === null) return null;
    const window = this.window;
    return {
      study_instance_uid: source.series.studyInstanceUid,
      series_instance_uid: source.series.seriesInstanceUid,
      sop_instance_uid: slice.sopInstanceUid,
      frame: slice.frame,
      window: window === null ? null : { center: window.center, width: window.width },
      zoom: this.#camera.zoom,
      center: [this.#camera.center[0], this.#camera.center[1]],
      rotation: this.#camera.rotation,
      flip: this.#camera.flip,
      invert: this.#invert,
    };
  }

  /** Show what *state* says; false when it is about another series than the one open here. Nobody is told. */
  apply(state: ViewerState): boolean {
    if (this.source?.series.seriesInstanceUid !== state.series_instance_uid) return false;
    const index = this.source.series.slices.findIndex((one) => one.sopInstanceUid === state.sop_instance_uid && one.frame === state.frame);
    if (index < 0) return false;
    this.stop();
    this.#go(index);
    this.#window = state.window;
    this.#invert = state.invert;
    const { zoom, rotation, flip } = state;
    this.#camera = { ...this.#camera, zoom, rotation, flip, center: imagePoint(state.center[0], state.center[1]) };
    this.#told = this.state();
    this.#touched = false;
    this.#redraw(true);
    this.changes.status();
    return true;
  }

  dispose(): void {
    this.stop();
    this.#stop?.();
    cancelAnimationFrame(this.#scheduled);
    clearTimeout(this.#settle);
    this.source = null;
  }

  #go(index: number): void {
    if (index === this.#index) return;
    this.#index = index;
    this.sketch = null;
    this.selected = null;
    const picture = this.#pictureOf();
    if (picture.columns !== this.#camera.picture.columns || picture.rows !== this.#camera.picture.rows || picture.aspect !== this.#camera.picture.aspect) {
      this.#camera = adapted(this.#camera, picture, this.#camera.view);
    }
    this.source?.aim(index);
    this.#redraw(true);
    this.changes.status();
  }

  #pictureOf(): Picture {
    const { slice } = this;
    return slice === null ? NOWHERE : { columns: slice.format.columns, rows: slice.format.rows, aspect: slice.aspect };
  }

  #change(): void {
    this.#touched = true;
    // While a hand moves, large pictures are painted coarsely; once it rests, whole.
    this.#busy = true;
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => {
      this.#busy = false;
      this.#redraw(true);
    }, 120);
    this.#redraw(true);
  }

  #redraw(picture: boolean): void {
    this.#stale.picture ||= picture;
    this.#stale.overlay = true;
    if (this.#scheduled === 0) this.#scheduled = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#scheduled = 0;
    if (this.#stale.picture) this.#drawPicture();
    this.#stale = { picture: false, overlay: false };
    drawOverlay(this.#overlay, this.#ratio, this, this.words);
    if (this.#touched) this.#tell();
  }

  #drawPicture(): void {
    const { slice, frame } = this;
    // Black while the picture asked for is not here yet: an old one under a new number would be a lie.
    if (slice === null || frame === undefined) return this.#painter.clear();
    const look: Look = {
      window: this.window ?? { center: 128, width: 256 },
      shape: slice.voiFunction,
      lookup: this.#window === null && slice.windows.length === 0 ? slice.voiLookup : null,
      inverse: this.#invert !== (slice.format.photometric === "MONOCHROME1" && frame.kind === "grey"),
    };
    this.#painter.paint(slice, frame, look, this.#camera, this.#ratio, this.#busy);
    this.picture.dataset.frame = String(this.#index + 1);
    this.picture.dataset.instance = slice.sopInstanceUid;
    this.picture.dataset.window = this.window === null ? "" : `${this.window.center}/${this.window.width}`;
    this.picture.dataset.rendered = String(Number(this.picture.dataset.rendered ?? 0) + 1);
  }

  #tell(): void {
    this.#touched = false;
    const now = this.state();
    if (now === null || (this.#told !== null && sameView(now, this.#told))) return;
    this.#told = now;
    this.changes.state(now);
    this.changes.status();
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
