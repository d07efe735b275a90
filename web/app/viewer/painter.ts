/** Pixels onto the lower canvas: table, ImageData at the image's own size, then one scaled draw. */
import { matrixOf, scaleOf, type Camera } from "../math/camera";
import { paint, reduced, tableFor, type Frame } from "../dicom/frame";
import type { Slice } from "../dicom/series";
import type { Look } from "../dicom/voi";

/** Above this many pixels a moving picture is painted with gaps. */
const SMOOTH_LIMIT = 1.5e6;

export class PicturePainter {
  readonly #context: CanvasRenderingContext2D;
  readonly #plate = document.createElement("canvas");
  readonly #plateContext: CanvasRenderingContext2D;
  #image: ImageData | null = null;
  #table: { readonly key: string; readonly values: Uint32Array<ArrayBuffer> } | null = null;
  #shown: { readonly frame: Frame; readonly key: string; readonly step: number } | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d", { alpha: false });
    const plate = this.#plate.getContext("2d", { alpha: false });
    if (context === null || plate === null) throw new Error("this browser has no 2D canvas");
    this.#context = context;
    this.#plateContext = plate;
  }

  clear(): void {
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.fillStyle = "#000";
    this.#context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  paint(slice: Slice, frame: Frame, look: Look, camera: Camera, ratio: number, moving: boolean): void {
    const [columns, rows] = frame.kind === "color" ? [frame.columns, frame.rows] : [slice.format.columns, slice.format.rows];
    const coarse = moving && columns * rows > SMOOTH_LIMIT ? Math.max(1, Math.floor(1 / (scaleOf(camera) * ratio))) : 1;
    this.#develop(slice, frame, look, columns, rows, coarse);
    this.clear();
    const [a, b, c, d, e, f] = matrixOf(camera);
    // A server-rendered picture may have another size than the stored one.
    const sx = slice.format.columns / this.#plate.width;
    const sy = slice.format.rows / this.#plate.height;
    this.#context.setTransform(a * sx * ratio, b * sx * ratio, c * sy * ratio, d * sy * ratio, e * ratio, f * ratio);
    this.#context.imageSmoothingEnabled = true;
    this.#context.imageSmoothingQuality = scaleOf(camera) * ratio < 0.5 && !moving ? "high" : "low";
    this.#context.drawImage(this.#plate, 0, 0);
  }

  #develop(slice: Slice, frame: Frame, look: Look, columns: number, rows: number, step: number): void {
    const { format, modality } = slice;
    const key = JSON.stringify([look, format.bitsAllocated, format.bitsStored, format.signed, modality.slope, modality.intercept, slice.palette !== null]);
    if (this.#shown?.frame === frame && this.#shown.key === key && this.#shown.step === step) return;
    const [width, height] = [reduced(columns, step), reduced(rows, step)];
    if (this.#plate.width !== width || this.#plate.height !== height || this.#image === null) {
      [this.#plate.width, this.#plate.height] = [width, height];
      this.#image = this.#plateContext.createImageData(width, height);
    }
    // A table given by the image itself may differ from slice to slice, which the key cannot see.
    const reusable = look.lookup === null && modality.lookup === null && slice.palette === null;
    if (frame.kind === "grey" && (this.#table?.key !== key || !reusable)) this.#table = { key, values: tableFor(slice, look) };
    paint(frame, columns, rows, this.#table?.values ?? new Uint32Array(0), look.inverse, step, new Uint32Array(this.#image.data.buffer));
    this.#plateContext.putImageData(this.#image, 0, 0);
    this.#shown = { frame, key, step };
  }
}
