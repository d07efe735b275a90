import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const HERE = join(import.meta.dirname);
const areas = readdirSync(join(HERE, "zh-CN"));

function keysOf(language: string, area: string): string[] {
  const walk = (node: unknown, path: string): string[] =>
    typeof node === "object" && node !== null ? Object.entries(node).flatMap(([key, value]) => walk(value, `${path}.${key}`)) : [path];
  return walk(JSON.parse(readFileSync(join(HERE, language, area), "utf-8")), area).sort();
}

describe("the two languages", () => {
  it("have the same areas", () => {
    expect(readdirSync(join(HERE, "en")).sort()).toEqual([...areas].sort());
  });

  it.each(areas)("have every key of %s in both", (area) => {
    expect(keysOf("en", area)).toEqual(keysOf("zh-CN", area));
  });
});
