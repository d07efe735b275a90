/** What changed between two texts, word by word: Chinese has no spaces, so the browser's own segmenter finds the words. */

export interface Piece {
  readonly text: string;
  readonly change: "same" | "added" | "removed";
}

/** Comparing costs the product of both middles; beyond this the whole middle counts as replaced. */
const MOST_CELLS = 4_000_000;

const segmenter = new Intl.Segmenter("zh", { granularity: "word" });
const wordsOf = (text: string): string[] => Array.from(segmenter.segment(text), ({ segment }) => segment);

/** The pieces of *before* and *after* in reading order; those that are same or removed give *before*, same or added *after*. */
export function difference(before: string, after: string): Piece[] {
  const old = wordsOf(before);
  const fresh = wordsOf(after);
  const shorter = Math.min(old.length, fresh.length);
  let head = 0;
  while (head < shorter && old[head] === fresh[head]) head++;
  let tail = 0;
  while (tail < shorter - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++;
  return merged([
    { text: old.slice(0, head).join(""), change: "same" },
    ...between(old.slice(head, old.length - tail), fresh.slice(head, fresh.length - tail)),
    { text: old.slice(old.length - tail).join(""), change: "same" },
  ]);
}

/** Align two middles on their longest common subsequence. */
function between(old: string[], fresh: string[]): Piece[] {
  const replaced: Piece[] = [
    { text: old.join(""), change: "removed" },
    { text: fresh.join(""), change: "added" },
  ];
  const width = fresh.length + 1;
  if (width * (old.length + 1) > MOST_CELLS) return replaced;
  // common[i, j]: how many words old from i and fresh from j share at most.
  const common = new Uint16Array(width * (old.length + 1));
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = fresh.length - 1; j >= 0; j--) {
      common[i * width + j] = old[i] === fresh[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pieces: Piece[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      pieces.push({ text: old[i++] ?? "", change: "same" });
      j++;
    } else if (j === fresh.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) pieces.push({ text: old[i++] ?? "", change: "removed" });
    else pieces.push({ text: fresh[j++] ?? "", change: "added" });
  }
  return pieces;
}

function merged(pieces: Piece[]): Piece[] {
  const whole: Piece[] = [];
  for (const piece of pieces) {
    if (!piece.text) continue;
    const last = whole.at(-1);
    if (last?.change === piece.change) whole[whole.length - 1] = { text: last.text + piece.text, change: piece.change };
    else whole.push(piece);
  }
  return whole;
}
