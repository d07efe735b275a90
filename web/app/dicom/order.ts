/** In what order the frames of a stack are fetched: a pure function of where the reader is and where they are going. */

/**
 * Indices from *current* outward, two ahead in the scroll direction for each one behind, then whatever is left.
 * *direction* is 1, -1 or 0 (not moving: both sides alike).
 */
export function* fetchOrder(count: number, current: number, direction: -1 | 0 | 1): Generator<number> {
  if (count === 0) return;
  yield current;
  const forward = direction === 0 ? 1 : direction;
  const ahead = direction === 0 ? 1 : 2;
  let [front, back] = [current, current];
  for (let given = 1; given < count; ) {
    for (let step = 0; step < ahead; step++) {
      front += forward;
      if (front >= 0 && front < count) {
        yield front;
        given++;
      }
    }
    back -= forward;
    if (back >= 0 && back < count) {
      yield back;
      given++;
    }
  }
}
