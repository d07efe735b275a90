/** When the report on a task is expected, in words. */
import { computed, type ComputedRef } from "vue";
import { useI18n } from "vue-i18n";
import { following } from "@/api/following";
import { forecast } from "@/api/operations";
import { now } from "@/ui/now";
import { shortTime } from "@/ui/time";

/** From this chance of being late on the expected time is shown as a warning. */
const DOUBTFUL = 0.5;

export interface Expected {
  readonly at: string;
  readonly doubtful: boolean;
  /** The chance in words, and how many stand before it. */
  readonly title: string;
}

/** Follow the forecast of a task: what stands before it changes with the other tasks of the queue. */
export function useExpected(taskId: string): ComputedRef<Expected | null> {
  const { t } = useI18n();
  const found = following(
    () => forecast(taskId),
    (type, data) => data["task_id"] === taskId || type === "TaskClaimed" || type === "ReportSigned",
  );
  return computed(() => {
    const told = found.value.value;
    if (!told) return null;
    const at = shortTime(told.expected_at, now.value);
    const title = t("reading.turnaround.expected", { late: Math.round(told.late * 100), ahead: told.ahead });
    return { at, doubtful: told.late >= DOUBTFUL, title };
  });
}
