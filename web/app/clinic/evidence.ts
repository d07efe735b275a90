/** Photographs of a paper and drawn signatures, made small enough for a thin uplink. */

const LONGEST_SIDE = 1600;
const MOST_BYTES = 900_000;

const blobOf = (canvas: HTMLCanvasElement, type: string, quality?: number): Promise<Blob> =>
  new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), type, quality));

/** A photograph as a JPEG that the server takes; rejects what is no picture. */
export async function paperFrom(file: Blob): Promise<Blob> {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  for (const quality of [0.8, 0.6, 0.4]) {
    const blob = await blobOf(canvas, "image/jpeg", quality);
    if (blob.size <= MOST_BYTES) return blob;
  }
  return blobOf(canvas, "image/jpeg", 0.2);
}

/** What was drawn, as a PNG. */
export const signatureFrom = (canvas: HTMLCanvasElement): Promise<Blob> => blobOf(canvas, "image/png");
