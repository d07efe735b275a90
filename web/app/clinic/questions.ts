/** Questions of specialists that wait for the clinic: each announced once, by sound and toast. */
import { onScopeDispose, watch, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import type { Study, Task } from "@/api/model";
import { chime } from "@/ui/sound";
import { toast } from "@/ui/toast";

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
      const message = t("clinic.ask.asks", { name: task.question?.asked_by?.name ?? "", question: task.question?.question ?? "" });
      toasts.set(key, toast({ title: t("clinic.ask.title"), message, type: "warning" }, () => open(task)));
    }
    for (const [key, shown] of toasts) if (!asked.has(key)) shown.close();
  });
  onScopeDispose(() => {
    for (const shown of toasts.values()) shown.close();
  });
}
