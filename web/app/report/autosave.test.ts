import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Draft, DraftContent } from "@/api/model";
import { Problem } from "@/api/problem";
import { Autosave, type DraftStore } from "@/report/autosave";

class ServerDraft implements DraftStore {
  draft: Draft = { findings: "", impression: "", kind: null, critical: false, key_images: [], version: 0, saved_at: null };
  saves = 0;
  failure: Problem | null = null;

  load(): Promise<Draft> {
    return Promise.resolve(this.draft);
  }

  save(content: DraftContent, version: number): Promise<Draft> {
    if (this.failure) return Promise.reject(this.failure);
    if (version !== this.draft.version) return Promise.reject(new Problem(409, "draft-stale", "stale"));
    this.saves++;
    this.draft = { ...content, version: version + 1, saved_at: "2026-01-01T00:00:00Z" };
    return Promise.resolve(this.draft);
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
