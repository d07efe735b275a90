/** Panes that scroll together: by place in the patient where planes are parallel, else by the same number of slices. */
import { depthOf, normalOf } from "../math/orientation";
import { dot } from "../math/spaces";
import type { Slice } from "../dicom/series";

/** The slice of *others* that shows the place of *leader*; null when the two do not share a space or a direction. */
export function matching(leader: Slice, others: readonly Slice[]): number | null {
  const { plane } = leader;
  if (plane === null || leader.frameOfReference === null) return null;
  const wanted = depthOf(plane);
  let best: number | null = null;
  let nearest = Infinity;
  for (const [index, other] of others.entries()) {
    if (other.plane === null || other.frameOfReference !== leader.frameOfReference) return null;
    const facing = dot(normalOf(plane), normalOf(other.plane));
    if (Math.abs(facing) < 0.99) return null;
    const away = Math.abs(Math.sign(facing) * depthOf(other.plane) - wanted);
    if (away < nearest) [best, nearest] = [index, away];
  }
  return best;
}
