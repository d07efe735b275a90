/** Texts the server sends in both languages. */
import { i18n } from "@/locales";
import type { Institution } from "@/api/model";

type Said = string | { zh: string; en: string } | null | undefined;

export function said(text: Said): string {
  if (!text) return "";
  if (typeof text === "string") return text;
  return i18n.global.locale.value === "en" ? text.en : text.zh;
}

export function institutionName(institution: Institution): string {
  return i18n.global.locale.value === "en" && institution.name_en ? institution.name_en : institution.name;
}

/** The one character a person is known by: the last of a name in characters, the first letter of any other. */
export function initialOf(name: string): string {
  const characters = [...name.trim()];
  return (/\p{Script=Han}$/u.test(name.trim()) ? characters.at(-1) : characters[0]?.toUpperCase()) ?? "";
}

/** What was examined: the modalities and the description, without saying one word twice. */
export function described(modalities: readonly string[], description: string): string {
  const names = modalities.join(" / ");
  return description && description !== names ? `${names} ${description}` : names;
}
