/** Why a version replaces the one before it. */
import { i18n } from "@/locales";
import type { Report } from "@/api/model";

/** The cause of a cancellation and the words beside it; nothing for a version that needs no reason. */
export function reasonOf({ cause, reason }: Pick<Report, "cause" | "reason">): string {
  const { t } = i18n.global;
  if (!cause) return reason ?? "";
  const name = t(`reading.cause.${cause}`);
  return reason ? t("reading.cause_in_words", { cause: name, words: reason }) : name;
}
