/** The camera: where an image pixel lands in the view, and back. Pure functions over one frozen value. */
import { imagePoint, viewPoint, type ImagePoint, type ViewPoint } from "./spaces";

/** What the camera must know of the picture. `aspect` is pixel height over pixel width (row spacing / column spacing). */
export interface Picture {
  readonly columns: number;
  readonly rows: number;
  readonly aspect: number;
}

export interface Extent {
  readonly width: number;
  readonly height: number;
}

export interface Camera {
  readonly picture: Picture;
  readonly view: Extent;
  /** 1 = the whole picture just fits. */
  readonly zoom: number;
  /** The image point in the middle of the view. */
  readonly center: ImagePoint;
  /** Clockwise turn after the flip, in degrees; a multiple of 90. */
  readonly rotation: number;
  /** Mirrored left to right. */
  readonly flip: boolean;
}

/** How a picture's columns and rows become view pixels: x = a*column + c*row + e, y = b*column + d*row + f. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

const ZOOM_LEAST = 0.1;
const ZOOM_MOST = 40;

/** A camera that shows the whole *picture*. */
export function fitted(picture: Picture, view: Extent): Camera {
  return { picture, view, zoom: 1, center: middleOf(picture), rotation: 0, flip: false };
}

/** View pixels per image column. */
export function scaleOf(camera: Camera): number {
  return fitScale(camera) * camera.zoom;
}

export function matrixOf(camera: Camera): Matrix {
  const scale = scaleOf(camera);
  const sx = camera.flip ? -scale : scale;
  const sy = scale * camera.picture.aspect;
  const [cos, sin] = turn(camera.rotation);
  const [a, b, c, d] = [cos * sx, sin * sx, -sin * sy, cos * sy];
  const e = camera.view.width / 2 - a * camera.center[0] - c * camera.center[1];
  const f = camera.view.height / 2 - b * camera.center[0] - d * camera.center[1];
  return [a, b, c, d, e, f];
}

export function toView(camera: Camera, at: ImagePoint): ViewPoint {
  const [a, b, c, d, e, f] = matrixOf(camera);
  return viewPoint(a * at[0] + c * at[1] + e, b * at[0] + d * at[1] + f);
}

export function toImage(camera: Camera, at: ViewPoint): ImagePoint {
  const [a, b, c, d, e, f] = matrixOf(camera);
  const determinant = a * d - b * c;
  const x = at[0] - e;
  const y = at[1] - f;
  return imagePoint((d * x - c * y) / determinant, (a * y - b * x) / determinant);
}

/** Move the picture by view pixels, as a hand on paper would. */
export function panned(camera: Camera, dx: number, dy: number): Camera {
  const { width, height } = camera.view;
  return { ...camera, center: toImage(camera, viewPoint(width / 2 - dx, height / 2 - dy)) };
}

/** Zoom by *factor* so that what lies under *at* stays there. */
export function zoomedAt(camera: Camera, at: ViewPoint, factor: number): Camera {
  const zoom = Math.min(ZOOM_MOST, Math.max(ZOOM_LEAST, camera.zoom * factor));
  const held = toImage(camera, at);
  const next = { ...camera, zoom };
  const moved = toView(next, held);
  return panned(next, at[0] - moved[0], at[1] - moved[1]);
}

/** Turn clockwise by a quarter, or back by minus one. */
export function turned(camera: Camera, quarters: number): Camera {
  return { ...camera, rotation: (((camera.rotation + quarters * 90) % 360) + 360) % 360 };
}

/** Mirror left and right as the reader sees them, whatever the turn. */
export function mirrored(camera: Camera): Camera {
  return { ...camera, flip: !camera.flip, rotation: (360 - camera.rotation) % 360 };
}

/** The same look on a picture of another size or in another view: the centre stays at the same share of the picture. */
export function adapted(camera: Camera, picture: Picture, view: Extent): Camera {
  const center = imagePoint(
    (camera.center[0] / camera.picture.columns) * picture.columns,
    (camera.center[1] / camera.picture.rows) * picture.rows,
  );
  return { ...camera, picture, view, center };
}

/** Whether *at* lies on the picture. */
export function onPicture(picture: Picture, at: ImagePoint): boolean {
  return at[0] >= 0 && at[1] >= 0 && at[0] < picture.columns && at[1] < picture.rows;
}

export function middleOf(picture: Picture): ImagePoint {
  return imagePoint(picture.columns / 2, picture.rows / 2);
}

function fitScale({ picture, view, rotation }: Camera): number {
  const height = picture.rows * picture.aspect;
  const [w, h] = rotation % 180 === 0 ? [picture.columns, height] : [height, picture.columns];
  return Math.max(1e-6, Math.min(view.width / w, view.height / h));
}

function turn(rotation: number): readonly [cos: number, sin: number] {
  const quarter = Math.round(rotation / 90) % 4;
  return [[1, 0], [0, 1], [-1, 0], [0, -1]][(quarter + 4) % 4] as [number, number];
}
