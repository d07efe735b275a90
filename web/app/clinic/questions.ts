/** Questions of specialists that wait for the clinic: each announced once, by sound and toast. */
import { ElNotification } from "element-plus";
import { onScopeDispose, watch, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import type { Study, Task } from "@/api/model";
import { chime } from "@/ui/sound";

/** Announce the open questions among *studies*; *open* is called when a toast is clicked. */
export function useQuestions(studies: ShallowRef<Study[] | null>, open: (task: Task) => void): void {
  const { t } = useI18n();
  const toasts = new Map<string, { close: () => void }>();
  watch(studies, (present) => {
    const asked = new Map<string, Task>();
    for (const { task } of present ?? []) if (task?.question) asked.set(`${task.id} ${task.question.asked_at}`, task);
    for (const [key, task] of asked) {
      if (toasts.has(key)) continue;
      chime();
      const toast = ElNotification({
        title: t("clinic.ask.title"),
        message: t("clinic.ask.asks", { name: task.question?.asked_by?.name ?? "", question: task.question?.question ?? "" }),
        type: "warning",
        duration: 0,
        // Where the news of reports is: below the header, and away from the open report.
        position: "top-left",
        offset: 58,
        onClick: () => {
          toast.close();
          open(task);
        },
      });
      toasts.set(key, toast);
    }
    for (const [key, toast] of toasts) if (!asked.has(key)) toast.close();
  });
  onScopeDispose(() => {
    for (const toast of toasts.values()) toast.close();
  });
}
