/** A problem as one sentence for people, in their language where we know the case. */
import { i18n } from "@/locales";
import { Problem } from "@/api/problem";

/** What the person is told: our own words for the codes we know, else the server's sentence, else the status'. */
export function sentenceOf(error: unknown): string {
  const { t, te, locale } = i18n.global;
  if (!(error instanceof Problem)) return t("common.problem.unexpected");
  const known = `common.problem.code.${error.code}`;
  // The server's sentence names the person or the file; ours is kept for readers of Chinese where both exist.
  if (error.code && te(known) && (locale.value === "zh-CN" || !error.sentence)) return t(known);
  if (error.sentence) return error.sentence;
  const byStatus = `common.problem.status.${error.status}`;
  return te(byStatus) ? t(byStatus) : t("common.problem.unexpected");
}
