import { describe, expect, it } from "vitest";
import en from "../locales/en/viewer.json";
import zh from "../locales/zh-CN/viewer.json";
import { BINDINGS, commandOf, keyLabel } from "./keys";

const press = (key: string, extra: Partial<KeyboardEvent> = {}) =>
  commandOf({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, target: null, ...extra });

describe("keys", () => {
  it("obey the table, whatever the case", () => {
    expect(press("ArrowDown")).toBe("next");
    expect(press("R")).toBe("reset");
    expect(press("5")).toBe("preset:5");
    expect(press("z", { ctrlKey: true })).toBe("undo");
    expect(press("?", { shiftKey: true })).toBe("help");
  });

  it("leave alone what is being written, and the browser's own keys", () => {
    expect(press("r", { target: document.createElement("textarea") })).toBeNull();
    expect(press("r", { ctrlKey: true })).toBeNull();
    expect(press("r", { isComposing: true })).toBeNull();
  });

  it("have no key with two meanings and a name in both languages for each command", () => {
    const keys = BINDINGS.flatMap((binding) => binding.keys);
    expect(new Set(keys).size).toBe(keys.length);
    for (const { command } of BINDINGS) {
      for (const words of [zh, en]) {
        const name = command.startsWith("tool:") ? (words.tool as Record<string, string>)[command.slice(5)] : (words.command as Record<string, string>)[command];
        expect(name, command).toBeTruthy();
      }
    }
  });

  it("are written as they stand on a keyboard", () => {
    expect([keyLabel("ctrl+z"), keyLabel(" "), keyLabel("+"), keyLabel("pagedown")]).toEqual(["Ctrl+Z", "Space", "+", "PgDn"]);
  });
});
