/** A measurement as a line of a report, with the place it was taken. */
import { i18n } from "@/locales";
import type { Reading } from "@/viewer/reading";

export function lineOf({ kind, words, series, number }: Reading): string {
  const { t } = i18n.global;
  return t("writing.measured.line", { what: t(`viewer.tool.${kind}`), words, series: series ?? "—", image: number });
}
