import { describe, expect, it } from "vitest";
import { fetchOrder } from "./order";
import { FrameUnavailable } from "./fetching";
import { FrameSource } from "./source";
import type { Frame } from "./frame";
import type { Series, Slice } from "./series";

/** A server that answers when the test says so. */
class Server {
  readonly asked: number[] = [];
  readonly aborted: number[] = [];
  readonly #answers = new Map<number, { resolve: (frame: Frame) => void; reject: (error: Error) => void }>();

  load = (slice: Slice, signal: AbortSignal): Promise<Frame> => {
    this.asked.push(slice.instanceNumber);
    signal.addEventListener("abort", () => this.aborted.push(slice.instanceNumber));
    return new Promise((resolve, reject) => this.#answers.set(slice.instanceNumber, { resolve, reject }));
  };

  async answer(index: number): Promise<void> {
    this.#answers.get(index)!.resolve({ kind: "grey", pixels: new Uint8Array(10), bytes: 10 });
    await settled();
  }

  async refuse(index: number): Promise<void> {
    this.#answers.get(index)!.reject(new FrameUnavailable("missing", "gone"));
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function aSource(server: Server, count: number, budget = 1e9): FrameSource {
  const slices = Array.from({ length: count }, (_, index) => ({ instanceNumber: index }) as Slice);
  return new FrameSource({ slices } as unknown as Series, { parallel: 4, budget, load: server.load });
}

describe("fetch order", () => {
  it("starts where the reader is and goes outward on both sides", () => {
    expect([...fetchOrder(7, 3, 0)]).toEqual([3, 4, 2, 5, 1, 6, 0]);
  });

  it("leans two to one towards where the reader is going", () => {
    expect([...fetchOrder(10, 4, 1)].slice(0, 7)).toEqual([4, 5, 6, 3, 7, 8, 2]);
    expect([...fetchOrder(10, 4, -1)].slice(0, 4)).toEqual([4, 3, 2, 5]);
  });

  it("names every frame exactly once", () => {
    for (const direction of [-1, 0, 1] as const) {
      for (const current of [0, 5, 12]) {
        expect([...fetchOrder(13, current, direction)].sort((a, b) => a - b)).toEqual(Array.from({ length: 13 }, (_, index) => index));
      }
    }
    expect([...fetchOrder(0, 0, 1)]).toEqual([]);
  });
});

describe("frame source", () => {
  it("asks for the frame looked at first and for four at a time", () => {
    const server = new Server();
    aSource(server, 20).aim(10);
    expect(server.asked).toEqual([10, 11, 12, 9]);
  });

  it("goes on until all frames are there", async () => {
    const server = new Server();
    const source = aSource(server, 6);
    source.aim(0);
    for (let index = 0; index < 6; index++) await server.answer(server.asked[index]);
    expect(source.loaded).toBe(6);
  });

  it("drops the farthest request when the reader jumps", () => {
    const server = new Server();
    const source = aSource(server, 100);
    source.aim(0);
    source.aim(80);
    expect(server.aborted).toEqual([0]);
    expect(server.asked.at(-1)).toBe(80);
  });

  it("keeps to its memory budget and lets the farthest go", async () => {
    const server = new Server();
    const source = aSource(server, 50, 35);
    source.aim(0);
    for (const index of [0, 1, 2]) await server.answer(index);
    source.aim(20);
    await server.answer(20);
    expect(source.bytes).toBeLessThanOrEqual(35);
    expect(source.get(20)).toBeDefined();
    expect(source.get(0)).toBeUndefined();
  });

  it("reports a failure once and tries again when told to", async () => {
    const server = new Server();
    const source = aSource(server, 1);
    const failures: string[] = [];
    source.listen({ arrived: () => undefined, failed: (_, error) => failures.push(error.code) });
    source.aim(0);
    await server.refuse(0);
    expect(failures).toEqual(["missing"]);
    expect(source.error(0)?.message).toBe("gone");
    source.retry();
    expect(server.asked).toEqual([0, 0]);
    await server.answer(0);
    expect(source.get(0)).toBeDefined();
  });

  it("stops fetching when nobody listens any more", async () => {
    const server = new Server();
    const source = aSource(server, 9);
    const stop = source.listen({ arrived: () => undefined, failed: () => undefined });
    source.aim(0);
    stop();
    expect(server.aborted).toEqual(server.asked);
  });
});
