/** The tab's title: where one is, and how many pieces of news wait there. */
import { ref, watchEffect } from "vue";
import { i18n } from "@/locales";

const room = ref("");
const waiting = ref(0);

watchEffect(() => {
  const { t } = i18n.global;
  const name = [room.value && t(room.value), t("common.product")].filter(Boolean).join(" · ");
  document.title = waiting.value > 0 ? `(${waiting.value}) ${t("common.new_report")} · ${name}` : name;
});

/** Name the room by the key of its name. */
export function enterRoom(key: string): void {
  room.value = key;
}

/** Show *count* unread reports in the tab's title; 0 takes the badge away. */
export function badge(count: number): void {
  waiting.value = count;
}
