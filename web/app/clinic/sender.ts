/**
 * The sending: parcels leave in batches, two at a time, and every parcel ends with a result of its own.
 *
 * A STOW answer names the instances it refused, not our files; a batch that was not kept whole is therefore sent once
 * more file by file. The archive knows what it already holds, so nothing is stored twice.
 */
import { computed, reactive } from "vue";
import { Problem } from "@/api/problem";
import type { Parcel } from "@/clinic/sorting";
import { multipart, outcome } from "@/clinic/stow";
import { upload, type Answer } from "@/clinic/transport";

/** Whose ECG it is, and what a bare CSV or MATLAB file does not say itself. Empty strings are not sent. */
export interface Declared {
  patient_id: string;
  name: string;
  sex: string;
  birth_date: string;
  gain_uv: string;
  sampling_frequency_hz: string;
  leads: string;
}

export interface Item {
  id: number;
  parcel: Parcel;
  size: number;
  sent: number;
  state: "waiting" | "sending" | "done" | "failed";
  /** Why it failed: a key of `clinic.refused`, or what the server said. */
  failure: Problem | string | null;
  declared: Declared | null;
}

/** A batch is full at this many files or bytes: small enough that a thin line shows progress and loses little. */
const BATCH_FILES = 20;
const BATCH_BYTES = 8 * 1024 * 1024;
const AT_ONCE = 2;
/** Waits (ms) before a parcel is tried again by itself when the line or the server was away. */
const AGAIN_MS = [1000, 3000, 8000] as const;

const passing = (status: number): boolean => status === 0 || status === 429 || status === 502 || status === 503 || status === 504;

export class Sender {
  readonly items: Item[] = reactive([]);
  readonly progress = computed(() => {
    const counted = this.items.filter(({ parcel }) => parcel.kind !== "refused");
    const total = counted.reduce((sum, { size }) => sum + size, 0);
    const sent = counted.reduce((sum, { sent, size, state }) => sum + (state === "done" || state === "failed" ? size : Math.min(sent, size)), 0);
    return {
      total: this.items.length,
      done: this.items.filter(({ state }) => state === "done").length,
      failed: this.items.filter(({ state }) => state === "failed").length,
      busy: this.items.some(({ state }) => state === "waiting" || state === "sending"),
      share: total === 0 ? 1 : sent / total,
    };
  });
  private running = 0;
  private count = 0;

  add(parcels: readonly Parcel[], declared: Declared | null = null): void {
    for (const parcel of parcels) {
      const refused = parcel.kind === "refused";
      this.items.push({
        id: ++this.count,
        parcel,
        size: parcel.files.reduce((sum, { file }) => sum + file.size, 0),
        sent: 0,
        state: refused ? "failed" : "waiting",
        failure: refused ? parcel.why : null,
        declared,
      });
    }
    this.pump();
  }

  /** Send again what failed and may yet succeed. */
  retry(items: readonly Item[], declared?: Declared): void {
    for (const item of items) {
      if (item.state !== "failed" || item.parcel.kind === "refused") continue;
      Object.assign(item, { state: "waiting", failure: null, sent: 0 });
      if (declared) item.declared = declared;
    }
    this.pump();
  }

  /** Take finished parcels off the list. */
  clear(): void {
    this.items.splice(0, this.items.length, ...this.items.filter(({ state }) => state === "waiting" || state === "sending"));
  }

  private pump(): void {
    while (this.running < AT_ONCE) {
      const batch = this.nextBatch();
      if (batch.length === 0) return;
      for (const item of batch) item.state = "sending";
      this.running++;
      void this.deliver(batch).finally(() => {
        this.running--;
        this.pump();
      });
    }
  }

  private nextBatch(): Item[] {
    const waiting = this.items.filter(({ state }) => state === "waiting");
    const first = waiting[0];
    if (!first || first.parcel.kind !== "dicom") return first ? [first] : [];
    const batch: Item[] = [];
    let bytes = 0;
    for (const item of waiting) {
      if (item.parcel.kind !== "dicom") continue;
      if (batch.length > 0 && (batch.length >= BATCH_FILES || bytes + item.size > BATCH_BYTES)) break;
      batch.push(item);
      bytes += item.size;
    }
    return batch;
  }

  private async deliver(batch: Item[]): Promise<void> {
    const post = batch[0]?.parcel.kind === "recording" ? () => this.postRecording(batch[0]!) : () => this.postStudy(batch);
    const failure = await this.persist(post);
    if (failure === null) {
      for (const item of batch) Object.assign(item, { state: "done", sent: item.size });
    } else if (batch.length > 1 && !passing(failure.status)) {
      for (const item of batch) await this.deliver([item]);
    } else {
      for (const item of batch) Object.assign(item, { state: "failed", failure });
    }
  }

  /** Post until it is kept or refused; the line may be away for a while. */
  private async persist(post: () => Promise<Problem | null>): Promise<Problem | null> {
    for (let attempt = 0; ; attempt++) {
      const failure = await post().catch((error: unknown) => {
        if (error instanceof Problem) return error;
        throw error;
      });
      const wait = AGAIN_MS[attempt];
      if (failure === null || !passing(failure.status) || wait === undefined) return failure;
      await new Promise((resolve) => window.setTimeout(resolve, wait));
    }
  }

  private async postStudy(batch: Item[]): Promise<Problem | null> {
    const boundary = `telemed${crypto.getRandomValues(new Uint32Array(4)).join("")}`;
    const { body, type } = multipart(
      batch.map(({ parcel }) => parcel.files[0]!.file),
      boundary,
    );
    const total = batch.reduce((sum, { size }) => sum + size, 0) || 1;
    const answer = await upload({
      url: "/dicom-web/studies",
      body,
      headers: { "Content-Type": type, Accept: "application/dicom+json" },
      onProgress: (bytes) => {
        const share = Math.min(1, bytes / total);
        for (const item of batch) item.sent = item.size * share;
      },
    });
    return judged(answer, batch.length);
  }

  private async postRecording(item: Item): Promise<Problem | null> {
    const form = new FormData();
    for (const [name, value] of Object.entries(item.declared ?? {})) if (value) form.append(name, value);
    for (const { file } of item.parcel.files) form.append("file", file, file.name);
    const answer = await upload({
      url: "/api/v1/recordings",
      body: form,
      headers: { Accept: "application/json" },
      onProgress: (bytes) => (item.sent = Math.min(bytes, item.size)),
    });
    return answer.status < 300 ? null : Problem.parse(answer.status, answer.text);
  }
}

/** Whether all *sent* instances were kept; a 202 or 409 of STOW-RS kept only some or none. */
function judged({ status, text }: Answer, sent: number): Problem | null {
  const told = outcome(text);
  if (status === 200 && (told === null || told.refused === 0)) return null;
  if (told && told.refused === 0 && told.kept >= sent) return null;
  return told ? new Problem(409, "not-kept", "") : Problem.parse(status, text);
}
