/** STOW-RS (PS3.18 section 10.5): the request's body, and what its answer says. */

interface Referenced {
  [tag: string]: { Value?: unknown[] } | undefined;
}

/** The tags of PS3.18 section I.2 that tell what became of the instances. */
const FAILED = "00081198";
const REFERENCED = "00081199";

/** A multipart/related body of whole Part 10 files; nothing is read into memory here. */
export function multipart(files: readonly Blob[], boundary: string): { body: Blob; type: string } {
  const parts = files.flatMap((file) => [`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]);
  return {
    body: new Blob([...parts, `--${boundary}--\r\n`]),
    type: `multipart/related; type="application/dicom"; boundary=${boundary}`,
  };
}

/** How many instances the server kept and how many it refused; null when *text* is no STOW answer. */
export function outcome(text: string): { kept: number; refused: number } | null {
  try {
    const answer = JSON.parse(text) as Referenced;
    if (!(FAILED in answer) && !(REFERENCED in answer)) return null;
    return { kept: answer[REFERENCED]?.Value?.length ?? 0, refused: answer[FAILED]?.Value?.length ?? 0 };
  } catch {
    return null;
  }
}
