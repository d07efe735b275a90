/** The two languages: one JSON file per area and language, merged by folder; zh-CN is complete, en follows it key by key. */
import { createI18n } from "vue-i18n";

export type Language = "zh-CN" | "en";
type Messages = Record<string, string | Record<string, unknown>>;

const files = import.meta.glob<Messages>("./*/*.json", { eager: true, import: "default" });

/** Messages by language, each area under its file's name: `clinic.json` is `clinic.*`. */
export const messages: Record<Language, Messages> = { "zh-CN": {}, en: {} };
for (const [path, content] of Object.entries(files)) {
  const [, language, area] = /^\.\/([^/]+)\/([^/]+)\.json$/.exec(path) ?? [];
  if (language && area && language in messages) messages[language as Language][area] = content;
}

const KEPT_AS = "telemed.language";

function preferred(): Language {
  const kept = localStorage.getItem(KEPT_AS);
  if (kept === "zh-CN" || kept === "en") return kept;
  return navigator.language.startsWith("en") ? "en" : "zh-CN";
}

export const i18n = createI18n({ legacy: false, locale: preferred(), fallbackLocale: "zh-CN", messages });

/** Switch the language of every screen at once, and keep it for the next visit. */
export function speak(language: Language): void {
  i18n.global.locale.value = language;
  localStorage.setItem(KEPT_AS, language);
  document.documentElement.lang = language;
}
