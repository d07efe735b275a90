/** Tasks that nobody has answered in time: said aloud to whoever is to take them, and to the coordinator. */
import { onScopeDispose } from "vue";
import { useI18n } from "vue-i18n";
import { live } from "@/api/live";
import { session } from "@/api/session";
import { notice } from "@/ui/notices";
import { chime } from "@/ui/sound";
import { toast } from "@/ui/toast";

interface Told {
  readonly id: string;
}

/** What is announced, and under which title; a rung of the queue's ladder has its own. */
const LADDERS = new Map<string, string | undefined>([
  ["TaskEscalated", undefined],
  ["LatenessForecast", "reading.ladder.foretold"],
  ["DeliveryEscalated", "reading.ladder.untaken"],
]);

/** Announce each rung that concerns the person who is signed in; *open* is called when the toast is clicked. */
export function useLadder(open: (taskId: string) => void): void {
  const { t } = useI18n();
  const stop = live.listen(({ type, data }) => {
    const user = session.user;
    if (!LADDERS.has(type) || !user) return;
    const named = ((data["to"] ?? []) as Told[]).some(({ id }) => id === user.id);
    const moved = data["moved_to"] === user.institution.id;
    if (!named && !moved) return;
    const title = t(LADDERS.get(type) ?? `reading.ladder.rung.${String(data["rung"])}`);
    chime(true);
    void notice(title, { tag: String(data["task_id"]), path: "/reading", critical: true });
    const phone = typeof data["phone"] === "string" ? data["phone"] : "";
    const message = phone ? t("reading.ladder.call", { phone }) : t(moved ? "reading.ladder.moved" : "reading.ladder.look");
    toast({ title, message, type: "warning" }, () => open(String(data["task_id"])));
  });
  onScopeDispose(stop);
}
