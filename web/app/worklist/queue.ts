/** The queue as one person sees it: which tasks, in which order, and what comes next. */
import type { Priority, Task } from "@/api/model";

export const TABS = ["open", "mine", "done", "review"] as const;
export type Tab = (typeof TABS)[number];

const RANK: Record<Priority, number> = { stat: 0, asap: 1, urgent: 2, routine: 3 };

/** Most urgent first, then the nearest deadline; the id keeps equals in one place while the list is refetched. */
export function byUrgency(a: Task, b: Task): number {
  return RANK[a.priority] - RANK[b.priority] || a.due_at.localeCompare(b.due_at) || a.id.localeCompare(b.id);
}

/** The rows of *tab* in *lane* (empty: all lanes); what is done comes newest first. */
export function rowsOf(tasks: readonly Task[], tab: Tab, lane: string, me: string): Task[] {
  const rows = tasks.filter((task) => (!lane || task.lane === lane) && (tab !== "mine" || task.owner?.id === me));
  return tab === "done" ? rows.sort((a, b) => (b.claimed_at ?? b.placed_at).localeCompare(a.claimed_at ?? a.placed_at)) : rows.sort(byUrgency);
}

/** What may be read after *finished*: own work already begun first, then what nobody has, the most urgent first. */
export function leftOf(tasks: readonly Task[], me: string, finished: string): Task[] {
  const left = tasks.filter(({ id }) => id !== finished).sort(byUrgency);
  const free = left.filter(({ status, read_before }) => status === "requested" && !read_before);
  return [...left.filter(({ owner }) => owner?.id === me), ...free];
}

/** The row *steps* below (or above) *current*; the ends hold. */
export function beside<Row extends { id: string }>(rows: readonly Row[], current: string | null, steps: number): Row | undefined {
  const at = rows.findIndex(({ id }) => id === current);
  return rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + steps))];
}
