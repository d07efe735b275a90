/** Where left, right, head and feet are on a picture (PS3.3 C.7.6.2.1.1). */
import { matrixOf, type Camera } from "./camera";
import { cross, dot, patientPoint, type ImagePoint, type PatientPoint, type Vector } from "./spaces";

/** The plane of one image in the patient. Directions are unit vectors, spacing in millimetres. */
export interface Plane {
  readonly position: Vector;
  /** Along a row, towards growing columns. */
  readonly alongRow: Vector;
  /** Along a column, towards growing rows. */
  readonly alongColumn: Vector;
  readonly columnSpacing: number;
  readonly rowSpacing: number;
}

export interface EdgeLetters {
  readonly left: string;
  readonly right: string;
  readonly top: string;
  readonly bottom: string;
}

/** The letters towards which *direction* points, the strongest first, e.g. "L", "PH"; at most two, weak parts left out. */
export function lettersOf(direction: Vector): string {
  const names = [["L", "R"], ["P", "A"], ["H", "F"]] as const;
  return names
    .map((pair, axis) => ({ letter: direction[axis] >= 0 ? pair[0] : pair[1], size: Math.abs(direction[axis]) }))
    .filter(({ size }) => size > 0.25)
    .sort((a, b) => b.size - a.size)
    .slice(0, 2)
    .map(({ letter }) => letter)
    .join("");
}

/** What lies beyond each edge of the view, for this plane under this camera. */
export function edgeLetters(plane: Plane, camera: Camera): EdgeLetters {
  const [a, b, c, d] = matrixOf(camera);
  const scaleX = Math.hypot(a, b);
  const scaleY = Math.hypot(c, d);
  const seen = (x: number, y: number): Vector => {
    const column = (x * a + y * b) / scaleX;
    const row = (x * c + y * d) / scaleY;
    return [0, 1, 2].map((axis) => column * plane.alongRow[axis] + row * plane.alongColumn[axis]) as unknown as Vector;
  };
  return {
    left: lettersOf(seen(-1, 0)),
    right: lettersOf(seen(1, 0)),
    top: lettersOf(seen(0, -1)),
    bottom: lettersOf(seen(0, 1)),
  };
}

/** The place of an image point in the patient, by PS3.3 equation C.7.6.2.1-1 (pixel centres at .5 here). */
export function toPatient(plane: Plane, at: ImagePoint): PatientPoint {
  const u = (at[0] - 0.5) * plane.columnSpacing;
  const v = (at[1] - 0.5) * plane.rowSpacing;
  const along = (axis: 0 | 1 | 2): number => plane.position[axis] + u * plane.alongRow[axis] + v * plane.alongColumn[axis];
  return patientPoint(along(0), along(1), along(2));
}

export function normalOf(plane: Plane): Vector {
  return cross(plane.alongRow, plane.alongColumn);
}

/** How far along its own normal the plane lies, in millimetres: what slices are sorted by. */
export function depthOf(plane: Plane): number {
  return dot(plane.position, normalOf(plane));
}
