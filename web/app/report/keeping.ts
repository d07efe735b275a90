/** A draft while its page is open: loaded, saved as it is written, and not left unsaved without a question. */
import { computed, type ComputedRef, onBeforeUnmount, onMounted, watch } from "vue";
import { useI18n } from "vue-i18n";
import { Autosave, type DraftStore } from "@/report/autosave";
import { clockTime } from "@/ui/time";

/** Keep a draft in *store* for the life of a component; *line* says in words how far that is. */
export function keeping(store: DraftStore): { autosave: Autosave; line: ComputedRef<string> } {
  const { t } = useI18n();
  const autosave = new Autosave(store);
  const { content, status } = autosave;
  const line = computed(() => t(`reading.save.${status.state}`, { at: status.savedAt ? clockTime(status.savedAt, true) : "" }));

  function guard(event: BeforeUnloadEvent): void {
    if (["dirty", "saving", "failed", "conflict"].includes(status.state)) {
      void autosave.flush();
      event.preventDefault();
    }
  }
  watch(content, () => autosave.changed(), { deep: true });
  onMounted(() => {
    window.addEventListener("beforeunload", guard);
    void autosave.load();
  });
  onBeforeUnmount(() => {
    window.removeEventListener("beforeunload", guard);
    autosave.close();
  });
  return { autosave, line };
}
