/** Asking the server for pixels and JSON, and saying why it did not work. */

/** Why something could not be had; `code` is a locale key below `viewer.error`, the message the server's own sentence. */
export class FrameUnavailable extends Error {
  constructor(
    readonly code: "network" | "unauthorized" | "missing" | "server" | "broken",
    detail: string,
  ) {
    super(detail);
  }
}

/** One GET with the session's cookie. Throws FrameUnavailable when there is no answer at all. */
export async function ask(path: string, accept: string, signal: AbortSignal | null = null): Promise<Response> {
  try {
    return await fetch(path, { headers: { Accept: accept }, signal, credentials: "same-origin" });
  } catch (error) {
    throw new FrameUnavailable("network", String(error));
  }
}

/** Turn an error status into a reason, with the server's own sentence when it sent one (RFC 9457). */
export async function demand(response: Response): Promise<void> {
  if (response.ok) return;
  const problem = (await response.json().catch(() => null)) as { detail?: unknown; title?: unknown } | null;
  const sentence = [problem?.detail, problem?.title].find((part) => typeof part === "string") as string | undefined;
  const code = response.status === 401 ? "unauthorized" : response.status === 404 ? "missing" : "server";
  throw new FrameUnavailable(code, sentence ?? `HTTP ${response.status}`);
}

/** GET *path* and read its JSON; null when there is no content. */
export async function fetchJson(path: string, accept = "application/json"): Promise<unknown> {
  const response = await ask(path, accept);
  await demand(response);
  if (response.status === 204) return null;
  try {
    return (await response.json()) as unknown;
  } catch (error) {
    throw new FrameUnavailable("broken", String(error));
  }
}
