import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Draft, DraftContent } from "@/api/model";
import { Problem } from "@/api/problem";
import { Autosave, type DraftStore } from "@/report/autosave";

class ServerDraft implements DraftStore {
  draft: Draft = { findings: "", impression: "", kind: null, critical: false, key_images: [], version: 0, saved_at: null };
  saves = 0;
  failure: Problem | null = null;
  /** How long a save is under way (ms), and whether its answer gets lost. */
  takes = 0;
  losesAnswers = false;

  load(): Promise<Draft> {
    return Promise.resolve(this.draft);
  }

  async save(content: DraftContent, version: number): Promise<Draft> {
    if (this.takes > 0) await new Promise((resolve) => setTimeout(resolve, this.takes));
    if (this.failure) throw this.failure;
    if (version !== this.draft.version) throw new Problem(409, "draft-stale", "stale");
    this.saves++;
    this.draft = { ...content, version: version + 1, saved_at: "2026-01-01T00:00:00Z" };
    if (this.losesAnswers) throw Problem.unreachable();
    return this.draft;
  }
}

async function opened(server: ServerDraft): Promise<Autosave> {
  const autosave = new Autosave(server);
  await autosave.load();
  return autosave;
}

function type(autosave: Autosave, findings: string): void {
  autosave.content.findings = findings;
  autosave.changed();
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("the draft that saves itself", () => {
  it("is on the server two seconds after the first key, however fast one types", async () => {
    const server = new ServerDraft();
    const autosave = await opened(server);
    for (let typed = 1; typed <= 10; typed++) {
      type(autosave, "x".repeat(typed));
      await vi.advanceTimersByTimeAsync(200);
    }
    expect(server.saves).toBeGreaterThanOrEqual(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(server.draft.findings).toBe("x".repeat(10));
    expect(autosave.status.state).toBe("saved");
  });

  it("does not save what did not change", async () => {
    const server = new ServerDraft();
    const autosave = await opened(server);
    autosave.changed();
    await vi.advanceTimersByTimeAsync(5000);
    expect(server.saves).toBe(0);
  });

  it("never overwrites what another window saved until the reader has chosen", async () => {
    const server = new ServerDraft();
    const autosave = await opened(server);
    server.draft = { ...server.draft, findings: "theirs", version: 7 };
    type(autosave, "mine");
    await vi.advanceTimersByTimeAsync(5000);
    expect(autosave.status.state).toBe("conflict");
    expect(server.draft.findings).toBe("theirs");
    await autosave.keepMine();
    expect(server.draft.findings).toBe("mine");
    expect(autosave.status.state).toBe("saved");
  });

  it("has one save at a time on its way, however many wait for it, and no conflict with itself", async () => {
    const server = new ServerDraft();
    const autosave = await opened(server);
    server.takes = 5000;
    for (let typed = 1; typed <= 8; typed++) {
      type(autosave, "x".repeat(typed));
      await vi.advanceTimersByTimeAsync(1000);
    }
    const told = [autosave.flush(), autosave.flush()];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await Promise.all(told)).toEqual([true, true]);
    expect(autosave.status.state).toBe("saved");
    expect(server.draft.findings).toBe("x".repeat(8));
  });

  it("knows its own text again when only the answer to a save was lost", async () => {
    const server = new ServerDraft();
    const autosave = await opened(server);
    server.losesAnswers = true;
    type(autosave, "kept");
    await vi.advanceTimersByTimeAsync(2000);
    expect(autosave.status.state).toBe("failed");
    server.losesAnswers = false;
    type(autosave, "kept, and more");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(autosave.status.state).toBe("saved");
    expect(server.draft.findings).toBe("kept, and more");
  });

  it("tries again by itself once the line is back", async () => {
    const server = new ServerDraft();
    const autosave = await opened(server);
    server.failure = Problem.unreachable();
    type(autosave, "kept");
    await vi.advanceTimersByTimeAsync(2000);
    expect(autosave.status.state).toBe("failed");
    server.failure = null;
    await vi.advanceTimersByTimeAsync(4000);
    expect(server.draft.findings).toBe("kept");
  });
});
