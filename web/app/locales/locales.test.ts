import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { createI18n } from "vue-i18n";

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

  it.each(["zh-CN", "en"])("say every message of %s without a mistake in its syntax", (language) => {
    const complaints = vi.spyOn(console, "error");
    for (const area of areas) {
      const name = area.replace(".json", "");
      const messages = { [language]: { [name]: JSON.parse(readFileSync(join(HERE, language, area), "utf-8")) } };
      const { t } = createI18n({ legacy: false, locale: language, messages, missingWarn: false, fallbackWarn: false }).global;
      for (const key of keysOf(language, area)) expect(() => t(key.replace(area, name)), key).not.toThrow();
    }
    expect(complaints).not.toHaveBeenCalled();
  });
});
