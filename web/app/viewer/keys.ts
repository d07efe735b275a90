/** The keyboard as a table: what each key does, and the sheet that tells it (`viewer.help.*`). */
import type { ToolName } from "./tools";

export type Command =
  | "next" | "previous" | "nextPage" | "previousPage" | "first" | "last" | "play" | "reset" | "invert" | "fit" | "actual"
  | "turn" | "turnBack" | "mirror" | "keyImage" | "report" | "fullscreen" | "text" | "undo" | "redo" | "delete" | "cancel" | "help"
  | "nextSeries" | "previousSeries" | "zoomIn" | "zoomOut" | `tool:${ToolName}` | `preset:${number}`;

interface Binding {
  /** As KeyboardEvent.key, lower case; with "ctrl+" or "shift+" before it. */
  readonly keys: readonly string[];
  readonly command: Command;
}

export const BINDINGS: readonly Binding[] = [
  { keys: ["arrowdown", "arrowright"], command: "next" },
  { keys: ["arrowup", "arrowleft"], command: "previous" },
  { keys: ["pagedown"], command: "nextPage" },
  { keys: ["pageup"], command: "previousPage" },
  { keys: ["home"], command: "first" },
  { keys: ["end"], command: "last" },
  { keys: [" "], command: "play" },
  { keys: ["]"], command: "nextSeries" },
  { keys: ["["], command: "previousSeries" },
  { keys: ["w"], command: "tool:window" },
  { keys: ["p"], command: "tool:pan" },
  { keys: ["z"], command: "tool:zoom" },
  { keys: ["s"], command: "tool:scroll" },
  { keys: ["l"], command: "tool:length" },
  { keys: ["a"], command: "tool:angle" },
  { keys: ["b"], command: "tool:rectangle" },
  { keys: ["e"], command: "tool:ellipse" },
  { keys: ["h"], command: "tool:probe" },
  { keys: ["+", "="], command: "zoomIn" },
  { keys: ["-"], command: "zoomOut" },
  { keys: ["r"], command: "reset" },
  { keys: ["i"], command: "invert" },
  { keys: ["0"], command: "fit" },
  { keys: ["shift+)"], command: "actual" },
  { keys: ["."], command: "turn" },
  { keys: [","], command: "turnBack" },
  { keys: ["m"], command: "mirror" },
  { keys: ["k"], command: "keyImage" },
  { keys: ["c"], command: "report" },
  { keys: ["f"], command: "fullscreen" },
  { keys: ["t"], command: "text" },
  { keys: ["ctrl+z"], command: "undo" },
  { keys: ["ctrl+y", "ctrl+shift+z"], command: "redo" },
  { keys: ["delete", "backspace"], command: "delete" },
  { keys: ["escape"], command: "cancel" },
  { keys: ["?", "shift+?"], command: "help" },
];

const COMMANDS = new Map(BINDINGS.flatMap(({ keys, command }) => keys.map((key) => [key, command] as const)));

/** The command of a key press; null when it is none of ours or is being typed into a field. */
export function commandOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey" | "target" | "isComposing">): Command | null {
  if (event.altKey || event.isComposing || isField(event.target)) return null;
  const control = event.ctrlKey || event.metaKey;
  if (!control && /^[1-9]$/.test(event.key)) return `preset:${Number(event.key)}`;
  const key = `${control ? "ctrl+" : ""}${event.shiftKey ? "shift+" : ""}${event.key.toLowerCase()}`;
  return COMMANDS.get(key) ?? null;
}

/** How a key is written on the sheet. */
export function keyLabel(key: string): string {
  const names: Record<string, string> = {
    " ": "Space", arrowdown: "↓", arrowup: "↑", arrowleft: "←", arrowright: "→", pagedown: "PgDn", pageup: "PgUp",
    escape: "Esc", delete: "Del", backspace: "⌫", home: "Home", end: "End",
  };
  const parts = key === "+" ? ["+"] : key.split("+").filter((part) => part !== "");
  return parts.map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part[0].toUpperCase() + part.slice(1))).join("+");
}

function isField(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return element?.isContentEditable === true || /^(INPUT|TEXTAREA|SELECT)$/.test(element?.tagName ?? "");
}
