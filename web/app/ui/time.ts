/** Times as people read them: in the reader's own zone, always with the same width. */

const pad = (value: number): string => String(value).padStart(2, "0");

/** `10:21:05`, or `10:21` without *seconds*. */
export function clockTime(at: string, seconds = false): string {
  const time = new Date(at);
  return `${pad(time.getHours())}:${pad(time.getMinutes())}${seconds ? `:${pad(time.getSeconds())}` : ""}`;
}

/** `2026-11-22 10:21` */
export function dateTime(at: string): string {
  const time = new Date(at);
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${clockTime(at)}`;
}

/** `10:21` when *at* is on the same day as *now* (ms), else `11-22 10:21`. */
export function shortTime(at: string, now: number): string {
  const time = new Date(at);
  if (new Date(now).toDateString() === time.toDateString()) return clockTime(at);
  return `${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${clockTime(at)}`;
}

/** A span in ms as `12:34` or `1:02:03`; the sign is the caller's to tell. */
export function span(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

export type Pace = "calm" | "soon" | "late" | "breached";

/** How pressing a deadline is: a quarter of the budget left is amber, a tenth is red, none is a breach. */
export function paceOf(dueAt: string, budgetSeconds: number, now: number): Pace {
  const left = Date.parse(dueAt) - now;
  if (left <= 0) return "breached";
  if (left <= budgetSeconds * 100) return "late";
  if (left <= budgetSeconds * 250) return "soon";
  return "calm";
}

/** Whether *at* is on the day of *now* (ms) in the reader's zone. */
export function isToday(at: string, now: number): boolean {
  return new Date(at).toDateString() === new Date(now).toDateString();
}
