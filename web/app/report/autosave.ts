/**
 * The draft that saves itself: every change is on the server within two seconds, or the reader sees that it is not.
 *
 * One save at a time, each naming the version it was based on; what was typed meanwhile goes with the next. A stale
 * version stops the saving until somebody has chosen between the two texts: nothing is overwritten unseen. Where the
 * server's text is our own, and only the answer to its save was lost, there is nothing to choose.
 */
import { reactive, type Reactive } from "vue";
import type { Draft, DraftContent } from "@/api/model";
import { Problem } from "@/api/problem";

export type SaveState = "clean" | "dirty" | "saving" | "saved" | "failed" | "conflict";

export interface DraftStore {
  load(): Promise<Draft>;
  save(content: DraftContent, version: number): Promise<Draft>;
}

/** Rest after the last keystroke before a save (ms); a reader who never rests is saved after the second. */
const REST_MS = 800;
const LATEST_MS = 1800;
/** Wait before a failed save is tried again (ms). */
const AGAIN_MS = 3000;

function contentOf({ findings, impression, kind, critical, key_images }: DraftContent): DraftContent {
  return { findings, impression, kind, critical, key_images: key_images.map((image) => ({ ...image })) };
}

const same = (a: DraftContent, b: DraftContent): boolean => JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b));

const isStale = (error: unknown): boolean => error instanceof Problem && error.code === "draft-stale";

export class Autosave {
  readonly content: Reactive<DraftContent> = reactive({ findings: "", impression: "", kind: null, critical: false, key_images: [] });
  readonly status: Reactive<{ state: SaveState; savedAt: string | null; problem: Problem | null; loaded: boolean }> = reactive({
    state: "clean",
    savedAt: null,
    problem: null,
    loaded: false,
  });
  private version = 0;
  private kept: DraftContent = contentOf(this.content);
  /** What was sent since the last answer: the server may have any of it. */
  private unanswered: DraftContent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dirtySince = 0;
  private running: Promise<void> | null = null;
  private closed = false;

  constructor(private readonly store: DraftStore) {}

  /** Take the server's text, dropping our own. */
  async load(): Promise<void> {
    try {
      this.take(await this.store.load());
      this.status.state = this.version > 0 ? "saved" : "clean";
      this.status.problem = null;
      this.status.loaded = true;
    } catch (error) {
      this.fail(error);
    }
  }

  /** Tell that the content may have changed. */
  changed(): void {
    if (!this.status.loaded || this.status.state === "conflict" || same(this.content, this.kept)) return;
    if (this.status.state !== "saving") this.status.state = "dirty";
    const now = Date.now();
    this.dirtySince ||= now;
    this.schedule(Math.max(0, Math.min(REST_MS, this.dirtySince + LATEST_MS - now)));
  }

  /** Save now what is not saved; resolves to whether everything is. */
  async flush(): Promise<boolean> {
    clearTimeout(this.timer);
    for (let round = 0; round < 3; round++) {
      while (this.running) await this.running; // others may wait for the same save, and begin the next
      if (!this.status.loaded || this.status.state === "conflict") return false;
      if (same(this.content, this.kept)) return true;
      this.running = this.saveOnce().finally(() => (this.running = null));
      await this.running;
      if (this.status.problem) return false;
    }
    return same(this.content, this.kept);
  }

  /** After a conflict: keep what is written here, over the version somebody else saved. */
  async keepMine(): Promise<void> {
    const mine = contentOf(this.content);
    await this.load();
    if (this.status.problem) return;
    Object.assign(this.content, mine);
    await this.flush();
  }

  /** Save what is left and stop. */
  close(): void {
    void this.flush();
    this.closed = true;
    clearTimeout(this.timer);
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => void this.flush(), ms);
  }

  private async saveOnce(): Promise<void> {
    const sent = contentOf(this.content);
    this.dirtySince = 0;
    this.status.state = "saving";
    try {
      this.keep(await this.store.save(sent, this.version), sent);
    } catch (error) {
      const ours = await this.ours(error);
      if (ours) this.keep(ours, ours);
      else this.fail(error, sent);
    }
  }

  private keep({ version, saved_at }: Draft, content: DraftContent): void {
    this.version = version;
    this.kept = contentOf(content);
    this.unanswered = [];
    this.status.savedAt = saved_at;
    this.status.problem = null;
    this.status.state = same(this.content, content) ? "saved" : "dirty";
    if (this.status.state === "dirty") this.changed();
  }

  /** What the server has, where that is what we sent ourselves. */
  private async ours(error: unknown): Promise<Draft | null> {
    if (!isStale(error) || this.unanswered.length === 0) return null;
    const found = await this.store.load().catch(() => null);
    return found && this.unanswered.some((sent) => same(sent, found)) ? found : null;
  }

  private take(draft: Draft): void {
    Object.assign(this.content, contentOf(draft));
    this.kept = contentOf(draft);
    this.version = draft.version;
    this.unanswered = [];
    this.status.savedAt = draft.saved_at;
    this.dirtySince = 0;
  }

  private fail(error: unknown, sent?: DraftContent): void {
    if (!(error instanceof Problem)) throw error;
    this.status.problem = error;
    this.status.state = isStale(error) ? "conflict" : "failed";
    // A refusal stays a refusal; a lost line or a tired server is asked again.
    if (error.status > 0 && error.status < 500) return;
    if (sent && !this.unanswered.some((other) => same(other, sent))) this.unanswered.push(sent);
    if (this.status.loaded) this.schedule(AGAIN_MS);
  }
}
