/** Why a version replaces the one before it. */
import { i18n } from "@/locales";
import type { Report } from "@/api/model";

/** The cause of a cancellation and the words beside it; nothing for a version that needs no reason. */
export function reasonOf({ cause, reason }: Pick<Report, "cause" | "reason">): string {
  const { t } = i18n.global;
  return [cause ? t(`reading.cause.${cause}`) : "", reason ?? ""].filter((one) => one !== "").join(t("common.list_separator"));
}
