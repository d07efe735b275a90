/** One upload with its progress; `fetch` cannot tell how much of a body has left the house. */
import { credentials } from "@/api/client";
import { Problem } from "@/api/problem";

export interface Upload {
  url: string;
  body: Blob | FormData;
  headers: Record<string, string>;
  onProgress: (sentBytes: number) => void;
}

export interface Answer {
  status: number;
  text: string;
}

/** No byte moved for this long (ms): the line is dead although nobody said so. */
const STALLED_MS = 60_000;

/** An ECG of hours (more than LONG_BYTES) is analysed before the server answers; it gives itself a quarter of an hour. */
const LONG_BYTES = 8 * 1024 * 1024;
const LONG_ANSWER_MS = 16 * 60_000;

/** Send it and answer with whatever the server said; raise `Problem` only when no answer came. */
export function upload({ url, body, headers, onProgress }: Upload): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = 0;
    const watch = (patienceMs = STALLED_MS): void => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => request.abort(), patienceMs);
    };
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("X-CSRF-Token", credentials.csrfToken);
    request.upload.onprogress = (event) => {
      watch();
      onProgress(event.loaded);
    };
    request.upload.onload = (event) => {
      if (event.loaded > LONG_BYTES) watch(LONG_ANSWER_MS);
    };
    request.onloadend = () => {
      window.clearTimeout(timer);
      if (request.status === 0) reject(Problem.unreachable());
      else {
        if (request.status === 401) credentials.onSignedOut();
        resolve({ status: request.status, text: request.responseText });
      }
    };
    watch();
    request.send(body);
  });
}
