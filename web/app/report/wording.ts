/**
 * The words of a report while they are written: blanks to be filled in, and lines that are added.
 *
 * A blank is `{{size}}`, written in, or `{{side:left|right}}`, chosen from; the server reads them by the same rule
 * (`consult.phrases.model.BLANK`) and lets nobody sign while one is left.
 */
export interface Blank {
  /** As it stands in the text. */
  readonly raw: string;
  readonly start: number;
  readonly end: number;
  readonly label: string;
  /** What may be chosen; none where it is written in. */
  readonly choices: readonly string[];
}

export function blanksIn(text: string): Blank[] {
  return [...text.matchAll(/\{\{([^{}\n]*)\}\}/g)].map((found) => {
    const [label = "", choices = ""] = found[1].split(/[:：](.*)/s);
    const start = found.index;
    return { raw: found[0], start, end: start + found[0].length, label: label.trim(), choices: choices.split("|").filter((one) => one !== "") };
  });
}

/** The blank that begins at or after *at*, or with *back* the last one that ends before it. */
export function blankFrom(text: string, at: number, back = false): Blank | undefined {
  const blanks = blanksIn(text);
  return back ? blanks.findLast(({ end }) => end <= at) : blanks.find(({ start }) => start >= at);
}

/** What is typed after `;;` right before *caret*, and where the sign begins; null when nothing is asked for. */
export function macroAsked(text: string, caret: number): { readonly start: number; readonly query: string } | null {
  const found = /(?:;;|；；)([^\s;；]{0,16})$/.exec(text.slice(0, caret));
  return found && { start: found.index, query: found[1].toLowerCase() };
}

/** *text* with *more* on a line of its own, said once. */
export function joined(text: string, more: string): string {
  if (!more || text.includes(more)) return text;
  return text.trim() ? `${text.trimEnd()}\n${more}` : more;
}
