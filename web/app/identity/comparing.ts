/** Two patients side by side: in what they contradict each other. */
import type { Identity } from "@/api/model";
import { i18n } from "@/locales";

export const FIELDS = ["patient_id", "name", "sex", "birth_date", "issuer"] as const;
export type Field = (typeof FIELDS)[number];

/** What makes a merge doubtful, so that it must be said to be known. */
const GRAVE: readonly Field[] = ["sex", "birth_date"];

/** Whether both say something, and not the same. */
export function differs(one: Identity, other: Identity, field: Field): boolean {
  return one[field] !== "" && other[field] !== "" && one[field].toLowerCase() !== other[field].toLowerCase();
}

export function gravelyDiffer(one: Identity, other: Identity): boolean {
  return GRAVE.some((field) => differs(one, other, field));
}

/** A field as people read it: 1958-02-14, 女. */
export function textOf(identity: Identity, field: Field): string {
  const text = identity[field];
  if (field === "birth_date") return text.replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3");
  const { t, te } = i18n.global;
  return field === "sex" && te(`common.sex.${text}`) ? t(`common.sex.${text}`) : text;
}
