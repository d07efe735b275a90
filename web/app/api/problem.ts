/** RFC 9457 problem details as an error a screen can show. */

export class Problem extends Error {
  override readonly name = "Problem";

  /** `status` 0: the server could not be reached at all. */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly sentence: string,
  ) {
    super(sentence);
  }

  static unreachable(): Problem {
    return new Problem(0, "unreachable", "");
  }

  /** Read a problem out of a *body* that may be anything: a proxy's HTML page is of no use to a nurse. */
  static of(status: number, body: unknown): Problem {
    if (typeof body !== "object" || body === null) return new Problem(status, "", "");
    const { code, detail, title } = body as { code?: unknown; detail?: unknown; title?: unknown };
    const sentence = [detail, title].find((part): part is string => typeof part === "string" && part !== "");
    return new Problem(status, typeof code === "string" ? code : "", sentence ?? "");
  }

  static parse(status: number, text: string): Problem {
    try {
      return Problem.of(status, JSON.parse(text));
    } catch {
      return Problem.of(status, null);
    }
  }
}
