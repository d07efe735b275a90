/** Hands on a viewport: mouse, pen and touch become scrolling, windowing, moving and measuring. */
import { toImage, toView } from "../math/camera";
import { viewPoint, type ImagePoint, type ViewPoint } from "../math/spaces";
import { POINTS, type MeasureKind, type Measurement } from "./measurements";
import type { Viewport } from "./viewport";

export type DragTool = "window" | "pan" | "zoom" | "scroll";
export type ToolName = DragTool | MeasureKind;

/** What each mouse button does; the left one is the reader's choice. */
const MIDDLE = 1;
const RIGHT = 2;
/** CSS pixels within which a handle is caught: a finger is blunter than a mouse. */
const REACH = { mouse: 8, touch: 22 };
/** A wheel notch reports 100 or more; anything less comes from a touchpad and is gathered. */
const NOTCH = 50;
const TOUCHPAD_STEP = 30;

const DRAGS: Readonly<Record<DragTool, (viewport: Viewport, drag: Drag, dx: number, dy: number) => void>> = {
  window(viewport, drag, dx, dy) {
    const { window } = viewport;
    if (window === null) return;
    // A wide window needs wide steps: 400 pixels across change the width by its own amount at the start of the drag.
    const step = Math.max(drag.width, 20) / 400;
    viewport.setWindow({ center: window.center + dy * step, width: Math.max(1, window.width + dx * step) });
  },
  pan(viewport, _drag, dx, dy) {
    viewport.pan(dx, dy);
  },
  zoom(viewport, drag, _dx, dy) {
    viewport.zoomAt(drag.from, 1.01 ** -dy);
  },
  scroll(viewport, drag, _dx, dy) {
    drag.gathered += dy;
    const pixels = Math.max(4, Math.min(20, viewport.camera.view.height / Math.max(1, viewport.count)));
    const steps = Math.trunc(drag.gathered / pixels);
    if (steps !== 0) viewport.scrollBy(steps);
    drag.gathered -= steps * pixels;
  },
};

interface Drag {
  readonly tool: DragTool;
  readonly from: ViewPoint;
  /** Window width when the drag began. */
  readonly width: number;
  gathered: number;
}

export function isMeasure(tool: ToolName): tool is MeasureKind {
  return tool in POINTS;
}

export class Hands {
  tool: ToolName = "window";
  readonly #down = new Map<number, ViewPoint>();
  #drag: Drag | null = null;
  #wheel = 0;
  /** The point of the sketch that follows the pointer. */
  #held: number | null = null;
  readonly #controller = new AbortController();

  constructor(private readonly element: HTMLElement, private readonly viewport: Viewport) {
    const on = <K extends keyof HTMLElementEventMap>(type: K, handle: (event: HTMLElementEventMap[K]) => void, passive = true): void => {
      element.addEventListener(type, handle, { passive, signal: this.#controller.signal });
    };
    on("pointerdown", (event) => this.#press(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#lift(event));
    on("pointercancel", (event) => this.#lift(event));
    on("pointerleave", () => viewport.point(null));
    on("wheel", (event) => this.#roll(event), false);
    on("dblclick", () => this.#held === null && viewport.fit());
    on("contextmenu", (event) => event.preventDefault(), false);
    // Chromium starts its own scrolling on a middle press, which would take the drag away.
    on("mousedown", (event) => event.button === MIDDLE && event.preventDefault(), false);
  }

  /** Let go of the element. */
  release(): void {
    this.#controller.abort();
  }

  /** Give up what is being drawn. */
  cancel(): void {
    this.#held = null;
    this.viewport.sketch = null;
    this.viewport.selected = null;
    this.viewport.touchOverlay();
  }

  #at(event: MouseEvent): ViewPoint {
    const box = this.element.getBoundingClientRect();
    return viewPoint(event.clientX - box.left, event.clientY - box.top);
  }

  #press(event: PointerEvent): void {
    if (this.viewport.slice === null) return;
    this.element.setPointerCapture(event.pointerId);
    const at = this.#at(event);
    this.#down.set(event.pointerId, at);
    this.viewport.stop();
    if (this.#down.size > 1) {
      // A second finger: from now on it is a pinch.
      this.#drag = null;
      return this.cancel();
    }
    if (event.button === MIDDLE) this.#begin("pan", at);
    else if (event.button === RIGHT) this.#begin("zoom", at);
    else if (event.button === 0) this.#pressLeft(at, event.pointerType === "mouse" ? REACH.mouse : REACH.touch);
  }

  #pressLeft(at: ViewPoint, reach: number): void {
    const { viewport } = this;
    const point = toImage(viewport.camera, at);
    if (this.#held !== null && viewport.sketch !== null) return this.#place(point);
    const caught = this.#caught(at, reach);
    viewport.selected = caught?.one.id ?? null;
    if (caught !== null) {
      viewport.sketch = { id: caught.one.id, kind: caught.one.kind, points: caught.one.points };
      this.#held = caught.index;
    } else if (isMeasure(this.tool)) {
      viewport.sketch = { id: null, kind: this.tool, points: this.tool === "probe" ? [point] : [point, point] };
      this.#held = this.tool === "probe" ? 0 : 1;
    } else {
      this.#begin(this.tool, at);
    }
    viewport.touchOverlay();
  }

  #begin(tool: DragTool, at: ViewPoint): void {
    this.#drag = { tool, from: at, width: this.viewport.window?.width ?? 0, gathered: 0 };
  }

  #move(event: PointerEvent): void {
    const at = this.#at(event);
    const before = this.#down.get(event.pointerId);
    if (before !== undefined) this.#down.set(event.pointerId, at);
    if (before !== undefined && this.#down.size === 2) return this.#pinch(event.pointerId, before, at);
    if (this.#drag !== null && before !== undefined) DRAGS[this.#drag.tool](this.viewport, this.#drag, at[0] - before[0], at[1] - before[1]);
    if (this.#held !== null) this.#stretch(toImage(this.viewport.camera, at));
    this.viewport.point(at);
  }

  #lift(event: PointerEvent): void {
    const at = this.#at(event);
    const known = this.#down.delete(event.pointerId);
    this.#drag = null;
    if (known && event.type === "pointerup" && this.#held !== null) this.#place(toImage(this.viewport.camera, at));
  }

  #pinch(moved: number, before: ViewPoint, at: ViewPoint): void {
    const other = [...this.#down].find(([id]) => id !== moved)?.[1];
    if (other === undefined) return;
    const spread = (point: ViewPoint): number => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    this.viewport.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    this.viewport.zoomAt(viewPoint((at[0] + other[0]) / 2, (at[1] + other[1]) / 2), spread(at) / spread(before));
  }

  #roll(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey) return this.viewport.zoomAt(this.#at(event), 1.0015 ** -event.deltaY);
    const size = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? Math.abs(event.deltaY) : NOTCH;
    if (size >= NOTCH) {
      this.#wheel = 0;
      return this.viewport.scrollBy(Math.sign(event.deltaY) * Math.max(1, Math.round(size / 120)));
    }
    this.#wheel += event.deltaY;
    const steps = Math.trunc(this.#wheel / TOUCHPAD_STEP);
    this.#wheel -= steps * TOUCHPAD_STEP;
    if (steps !== 0) this.viewport.scrollBy(steps);
  }

  #stretch(point: ImagePoint): void {
    const { sketch } = this.viewport;
    if (sketch === null || this.#held === null) return;
    this.viewport.sketch = { ...sketch, points: sketch.points.map((old, index) => (index === this.#held ? point : old)) };
  }

  /** The held point is where the reader wants it: go on to the next one, or keep the measurement. */
  #place(point: ImagePoint): void {
    this.#stretch(point);
    const { sketch, slice, history } = this.viewport;
    if (sketch === null || slice === null) return;
    const wanted = POINTS[sketch.kind];
    const tiny = sketch.points.length === 2 && this.#apart(sketch.points[0], sketch.points[1]) < 3;
    // A click without a drag: the second end is set by the next click.
    if (tiny && sketch.id === null) return;
    if (sketch.points.length < wanted) {
      this.viewport.sketch = { ...sketch, points: [...sketch.points, point] };
      this.#held = sketch.points.length;
      return;
    }
    if (sketch.kind === "angle" && sketch.id === null && this.#apart(sketch.points[1], sketch.points[2]) < 3) return;
    if (sketch.id === null) history.add(sketch.kind, slice, sketch.points);
    else history.move(sketch.id, sketch.points);
    this.#held = null;
    this.viewport.sketch = null;
    this.viewport.touchOverlay();
  }

  #apart(a: ImagePoint, b: ImagePoint): number {
    const [from, to] = [toView(this.viewport.camera, a), toView(this.viewport.camera, b)];
    return Math.hypot(to[0] - from[0], to[1] - from[1]);
  }

  #caught(at: ViewPoint, reach: number): { readonly one: Measurement; readonly index: number } | null {
    const { slice, camera, history } = this.viewport;
    if (slice === null) return null;
    for (const one of [...history.on(slice)].reverse()) {
      for (const [index, point] of one.points.entries()) {
        const [x, y] = toView(camera, point);
        if (Math.hypot(x - at[0], y - at[1]) <= reach) return { one, index };
      }
    }
    return null;
  }
}
