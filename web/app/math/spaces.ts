/**
 * The three spaces of a viewer, as types that do not mix.
 *
 * Image: columns and rows of the stored pixels, (0, 0) at the outer corner of the first pixel, its centre at (0.5, 0.5).
 * View: CSS pixels of the canvas. Patient: millimetres of the reference coordinate system (PS3.3 C.7.6.2.1.1: L, P, H grow).
 */
export type ImagePoint = readonly [column: number, row: number] & { readonly space: "image" };
export type ViewPoint = readonly [x: number, y: number] & { readonly space: "view" };
export type PatientPoint = readonly [x: number, y: number, z: number] & { readonly space: "patient" };

/** A direction or a position without a space: for arithmetic inside one function only. */
export type Vector = readonly [x: number, y: number, z: number];

export function imagePoint(column: number, row: number): ImagePoint {
  return [column, row] as unknown as ImagePoint;
}

export function viewPoint(x: number, y: number): ViewPoint {
  return [x, y] as unknown as ViewPoint;
}

export function patientPoint(x: number, y: number, z: number): PatientPoint {
  return [x, y, z] as unknown as PatientPoint;
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
