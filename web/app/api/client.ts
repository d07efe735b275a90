/** The one way to the API: cookie, CSRF header, problem details as errors, and the way back to the sign-in on 401. */
import createClient from "openapi-fetch";
import { Problem } from "@/api/problem";
import type { paths } from "@/api/schema";

/** What the client must know of the session; `api/session.ts` and the router fill it in. */
export const credentials = {
  csrfToken: "",
  /** Called when the server no longer knows us, on any call but the sign-in itself. */
  onSignedOut: (): void => undefined,
};

/** A call that hangs longer than this (ms) on a thin line is given up, so that no screen waits for ever. */
const PATIENCE_MS = 30_000;

async function send(request: Request): Promise<Response> {
  const headers = new Headers(request.headers);
  if (request.method !== "GET" && credentials.csrfToken) headers.set("X-CSRF-Token", credentials.csrfToken);
  let answer: Response;
  try {
    answer = await fetch(new Request(request, { headers, signal: AbortSignal.timeout(PATIENCE_MS) }));
  } catch {
    throw Problem.unreachable();
  }
  if (answer.status === 401 && !new URL(request.url).pathname.endsWith("/session")) credentials.onSignedOut();
  return answer;
}

export const client = createClient<paths>({
  baseUrl: location.origin,
  credentials: "same-origin",
  fetch: send,
  querySerializer: { array: { style: "form", explode: false } },
});

/** The body of a success; every other answer is raised as a `Problem`. */
export async function answered<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await asked;
  if (!response.ok) throw Problem.of(response.status, error);
  return data as T;
}

interface Call {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  query?: Record<string, string | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Call `/api/v1` + *path*, typed by the caller; for what reads best as one line. */
export async function call<T>(path: string, { method = "GET", query = {}, body, headers = {} }: Call = {}): Promise<T> {
  const url = new URL(`/api/v1${path}`, location.origin);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const sent = new Headers({ Accept: "application/json", ...headers });
  if (body !== undefined) sent.set("Content-Type", "application/json");
  const answer = await send(new Request(url, { method, headers: sent, body: body === undefined ? null : JSON.stringify(body) }));
  const text = await answer.text();
  if (!answer.ok) throw Problem.parse(answer.status, text);
  return (text ? JSON.parse(text) : undefined) as T;
}
