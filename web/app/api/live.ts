/**
 * The live socket: news of everything the person may see, resumed where it broke off.
 *
 * News is a hint to fetch again, never the data itself, so losing one costs a moment and not a fact: after every
 * reconnection the listeners of `onResumed` fetch once more.
 */
import { ref, type Ref } from "vue";
import type { LiveEvent } from "@/api/model";

export type LiveState = "connected" | "reconnecting" | "closed";

/** Waiting times before the 1st, 2nd, ... attempt, in ms; the last one repeats. Jittered so that sites do not return in step. */
const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000, 15000] as const;

/** How long to wait before attempt number *attempt* (from 0), spread by *chance* in [0, 1). */
export function backoff(attempt: number, chance: number): number {
  const step = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 15000;
  return step * (0.75 + chance / 2);
}

type Listener = (event: LiveEvent) => void;

export class Live {
  readonly state: Ref<LiveState> = ref("closed");
  private socket: WebSocket | null = null;
  private timer: number | undefined;
  private attempt = 0;
  private cursor: number | null = null;
  private opened = false;
  private readonly listeners = new Set<Listener>();
  private readonly resumed = new Set<() => void>();
  /** Said once the socket is open; what was shown while it was down is still true then. */
  private readonly unsaid = new Set<string>();

  open(): void {
    if (this.state.value !== "closed") return;
    this.opened = false;
    this.cursor = null;
    this.state.value = "reconnecting";
    this.connect();
    window.addEventListener("online", this.hurry);
  }

  close(): void {
    this.state.value = "closed";
    window.clearTimeout(this.timer);
    window.removeEventListener("online", this.hurry);
    this.unsaid.clear();
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** Call *listener* for every piece of news; the answer takes it back. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Call *again* whenever the connection came back after a break. */
  onResumed(again: () => void): () => void {
    this.resumed.add(again);
    return () => this.resumed.delete(again);
  }

  /** Tell the server that the news of *reportId* is on this screen (T5). */
  shown(reportId: string): void {
    this.unsaid.add(JSON.stringify({ shown: reportId }));
    this.say();
  }

  private say(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    for (const message of this.unsaid) this.socket.send(message);
    this.unsaid.clear();
  }

  private readonly hurry = (): void => {
    if (this.state.value !== "reconnecting") return;
    window.clearTimeout(this.timer);
    this.attempt = 0;
    this.connect();
  };

  private connect(): void {
    const url = new URL("/api/v1/live", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const previous = this.socket;
    this.socket = null;
    previous?.close();
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.attempt = 0;
      this.state.value = "connected";
      if (this.cursor !== null) socket.send(JSON.stringify({ after: this.cursor }));
      this.say();
      if (this.opened) for (const again of this.resumed) again();
      this.opened = true;
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as Partial<LiveEvent>;
      if (typeof event.cursor === "number") this.cursor = event.cursor;
      if (typeof event.type === "string" && event.data) for (const listener of this.listeners) listener(event as LiveEvent);
    };
    socket.onclose = () => {
      if (this.socket !== socket || this.state.value === "closed") return;
      this.state.value = "reconnecting";
      this.timer = window.setTimeout(() => this.connect(), backoff(this.attempt++, Math.random()));
    };
  }
}

export const live = new Live();
