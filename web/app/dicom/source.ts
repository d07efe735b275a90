/** Fetching the frames of one series: what is looked at first, then its neighbours, four at a time, within a memory budget. */
import { fetchOrder } from "./order";
import { ask, demand, FrameUnavailable } from "./fetching";
import { graphicsOf } from "./graphics";
import { FrameBroken, frameOf, type Frame } from "./frame";
import type { Series, Slice } from "./series";

export interface SourceEvents {
  /** A frame is there. */
  arrived(index: number): void;
  /** A frame could not be had after all tries. */
  failed(index: number, error: FrameUnavailable): void;
}

export interface SourceOptions {
  readonly parallel: number;
  /** Bytes of decoded frames to keep; the farthest from the reader are let go first. */
  readonly budget: number;
  readonly load: (slice: Slice, signal: AbortSignal) => Promise<Frame>;
}

const TRIES = 3;

export class FrameSource {
  readonly #frames = new Map<number, Frame>();
  readonly #failed = new Map<number, FrameUnavailable>();
  readonly #running = new Map<number, AbortController>();
  readonly #listeners = new Set<SourceEvents>();
  #current = 0;
  #direction: -1 | 0 | 1 = 0;
  #bytes = 0;
  #paused = false;

  constructor(readonly series: Series, private readonly options: SourceOptions) {}

  get count(): number {
    return this.series.slices.length;
  }

  get loaded(): number {
    return this.#frames.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(index: number): Frame | undefined {
    return this.#frames.get(index);
  }

  error(index: number): FrameUnavailable | undefined {
    return this.#failed.get(index);
  }

  /** Tell *listener* what happens from now on; call the result to stop. */
  listen(listener: SourceEvents): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.pause();
    };
  }

  /** The reader is at *index* now: fetch it before all else. */
  aim(index: number): void {
    this.#paused = false;
    if (index !== this.#current) this.#direction = index > this.#current ? 1 : -1;
    this.#current = index;
    if (!this.#frames.has(index) && !this.#running.has(index) && this.#running.size >= this.options.parallel) this.#dropFarthest();
    this.#fill();
  }

  /** Try a failed frame, or all of them, again. */
  retry(): void {
    this.#failed.clear();
    this.aim(this.#current);
  }

  /** Stop fetching, keep what is there. */
  pause(): void {
    this.#paused = true;
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
  }

  /** Let go of the frames farthest from the reader until at most *bytes* are kept; never the one looked at. */
  shrink(bytes: number): void {
    const farthest = [...this.#frames.keys()].sort((a, b) => this.#distance(b) - this.#distance(a));
    for (const index of farthest) {
      if (this.#bytes <= bytes || index === this.#current) return;
      this.#bytes -= this.#frames.get(index)!.bytes;
      this.#frames.delete(index);
    }
  }

  #fill(): void {
    let reach = this.#reach();
    for (const index of fetchOrder(this.count, this.#current, this.#direction)) {
      if (this.#paused || this.#running.size >= this.options.parallel || reach-- <= 0) return;
      if (!this.#frames.has(index) && !this.#running.has(index) && !this.#failed.has(index)) void this.#fetch(index);
    }
  }

  /** How many frames around the reader fit the budget: fetching more would only push out what is nearer. */
  #reach(): number {
    if (this.#frames.size === 0) return this.options.parallel;
    return Math.max(1, Math.floor(this.options.budget / (this.#bytes / this.#frames.size)));
  }

  async #fetch(index: number): Promise<void> {
    const controller = new AbortController();
    this.#running.set(index, controller);
    try {
      const frame = await this.#persist(this.series.slices[index], controller.signal);
      if (controller.signal.aborted) return;
      this.#frames.set(index, frame);
      this.#bytes += frame.bytes;
      this.shrink(this.options.budget);
      this.#settle(index, controller);
      for (const listener of this.#listeners) listener.arrived(index);
    } catch (error) {
      if (controller.signal.aborted) return;
      const reason = error instanceof FrameUnavailable ? error : new FrameUnavailable("network", String(error));
      this.#failed.set(index, reason);
      this.#settle(index, controller);
      for (const listener of this.#listeners) listener.failed(index, reason);
    }
  }

  async #persist(slice: Slice, signal: AbortSignal): Promise<Frame> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.options.load(slice, signal);
      } catch (error) {
        const passing = error instanceof FrameUnavailable && (error.code === "network" || error.code === "server");
        if (signal.aborted || attempt === TRIES || !passing) throw error;
        await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
        if (signal.aborted) throw error;
      }
    }
  }

  #settle(index: number, controller: AbortController): void {
    if (this.#running.get(index) === controller) this.#running.delete(index);
    this.#fill();
  }

  #dropFarthest(): void {
    const farthest = [...this.#running.keys()].sort((a, b) => this.#distance(b) - this.#distance(a))[0];
    this.#running.get(farthest)?.abort();
    this.#running.delete(farthest);
  }

  #distance(index: number): number {
    return Math.abs(index - this.#current);
  }
}

/** Ask the server for one frame: raw pixels where the browser can paint them, else a rendered picture. */
export async function loadFrame(slice: Slice, signal: AbortSignal): Promise<Frame> {
  if (slice.renderedOnly) return rendered(slice, signal);
  const response = await ask(slice.path, "application/octet-stream", signal);
  // The server has the pixels but cannot hand them out raw: it may still be able to render them.
  if (response.status === 406 || response.status === 415) return rendered(slice, signal);
  await demand(response);
  const buffer = await response.arrayBuffer();
  const graphics = await graphicsOf(slice.overlays, slice.format.columns, slice.format.rows);
  try {
    const frame = frameOf(buffer, slice.format);
    return graphics === null ? frame : { ...frame, graphics, bytes: frame.bytes + graphics.length };
  } catch (error) {
    throw error instanceof FrameBroken ? new FrameUnavailable("broken", error.message) : error;
  }
}

async function rendered(slice: Slice, signal: AbortSignal): Promise<Frame> {
  const response = await ask(`${slice.path}/rendered`, "image/jpeg", signal);
  await demand(response);
  const bitmap = await createImageBitmap(await response.blob());
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new FrameUnavailable("broken", "no canvas");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return { kind: "color", pixels, stride: 4, columns: canvas.width, rows: canvas.height, bytes: pixels.length };
}
