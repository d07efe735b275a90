/** Reports nobody at the clinic has opened yet: announced once each, by toast, sound, the tab's title and a notice on the desktop. */
import { computed, nextTick, onScopeDispose, watch, type ComputedRef } from "vue";
import { useI18n } from "vue-i18n";
import { following, type Following } from "@/api/following";
import { live } from "@/api/live";
import type { Report } from "@/api/model";
import { inbox } from "@/api/operations";
import { reasonOf } from "@/report/reasons";
import { notice } from "@/ui/notices";
import { institutionName } from "@/ui/said";
import { chime } from "@/ui/sound";
import { badge } from "@/ui/title";
import { toast } from "@/ui/toast";

export interface News {
  all: Following<Report[]>;
  /** Newest version of each report that waits to be opened, by study. */
  unread: ComputedRef<Map<string, Report>>;
}

/** How a report is announced: the keys of the toast's title and text, and its colour. */
function manner({ critical, status }: Report) {
  const text = status === "preliminary" || status === "final" ? "text" : `${status}_text`;
  if (critical) return ["critical", text, "error"] as const;
  if (status === "cancelled") return ["cancelled", text, "error"] as const;
  return text === "text" ? (["title", text, "success"] as const) : ([status, text, "warning"] as const);
}

/** Watch for reports to this person's institution; *open* is called when the toast is clicked. */
export function useNews(open: (report: Report) => void): News {
  const { t } = useI18n();
  const all = following(inbox, (type) => type.startsWith("Report") || type === "CriticalReadBack");
  const announced = new Set<string>();
  const toasts = new Map<string, { close: () => void }>();

  const unread = computed(() => {
    const waiting = (all.value.value ?? []).filter(({ read_at, amended_by }) => !read_at && !amended_by);
    return new Map(waiting.map((report) => [report.study_instance_uid, report]));
  });

  function announce(report: Report, aloud: boolean): void {
    announced.add(report.id);
    const [title, text, type] = manner(report);
    const presses = type === "error";
    if (aloud) chime(presses);
    void notice(t(`clinic.news.${title}`), { tag: report.task_id, path: "/clinic", critical: presses });
    const words = { patient: report.patient.name, hospital: institutionName(report.performer), reason: reasonOf(report) };
    toasts.set(
      report.id,
      toast({ title: t(`clinic.news.${title}`), message: t(`clinic.news.${text}`, words), type, customClass: "report-news" }, () => open(report)),
    );
    // T5 is told once the words are in the page, not when the news reached the machine.
    void nextTick(() => live.shown(report.id));
  }

  watch(unread, (waiting) => {
    badge(waiting.size);
    const fresh = [...waiting.values()].filter((report) => !announced.has(report.id));
    // After a night off, one sound for all and a toast for the latest few.
    fresh.slice(0, 3).forEach((report, index) => announce(report, index === 0));
    for (const report of fresh.slice(3)) {
      announced.add(report.id);
      live.shown(report.id);
    }
    const still = new Set([...waiting.values()].map(({ id }) => id));
    for (const [id, shown] of toasts) {
      if (still.has(id)) continue;
      shown.close();
      toasts.delete(id);
    }
  });

  onScopeDispose(() => {
    badge(0);
    for (const shown of toasts.values()) shown.close();
  });
  return { all, unread };
}
