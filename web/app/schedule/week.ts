/** Days and hours of a rota. A rota is kept in the hospital's zone, which is one for the whole country. */

const HOUSE_MS = 8 * 3_600_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** `2026-03-02`, the day of *at* where the hospital is. */
export function dayOf(at: string | number): string {
  return new Date(new Date(at).getTime() + HOUSE_MS).toISOString().slice(0, 10);
}

/** The moment *hour* hours after the midnight that begins *day*. */
export function momentOf(day: string, hour: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) - HOUSE_MS + hour * HOUR_MS).toISOString();
}

/** `08:00`, at the hospital. */
export function hourOf(at: string): string {
  return new Date(Date.parse(at) + HOUSE_MS).toISOString().slice(11, 16);
}

/** The Monday of the week that holds *at*. */
export function mondayOf(at: number): string {
  const day = Date.parse(`${dayOf(at)}T00:00:00Z`);
  return new Date(day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS).toISOString().slice(0, 10);
}

/** *day* and the six after it. */
export function sevenDays(day: string): string[] {
  return Array.from({ length: 7 }, (_, index) => later(day, index));
}

export function later(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The last days of *first* to *last*, both included: at most *most*. */
export function lastDays(first: string, last: string, most: number): string[] {
  const count = Math.min(most, (Date.parse(last) - Date.parse(first)) / DAY_MS + 1);
  return Array.from({ length: count }, (_, index) => later(last, index - count + 1));
}

/** Whether a stretch of time touches *day*. */
export function touches(since: string, until: string, day: string): boolean {
  return Date.parse(since) < Date.parse(momentOf(day, 24)) && Date.parse(until) > Date.parse(momentOf(day, 0));
}

/** Where a stretch lies within *day*: left edge and width in percent. */
export function within(since: string, until: string, day: string): { left: number; width: number } {
  const begin = Date.parse(momentOf(day, 0));
  const left = Math.max(0, (Date.parse(since) - begin) / DAY_MS) * 100;
  const right = Math.min(1, (Date.parse(until) - begin) / DAY_MS) * 100;
  return { left, width: right - left };
}
