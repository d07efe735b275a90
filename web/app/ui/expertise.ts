/** What a specialist knows best, and a request may wish for. */
import type { Expertise } from "@/api/model";

export const EXPERTISE: readonly Expertise[] = [
  "neuro",
  "chest",
  "cardiovascular",
  "abdomen",
  "musculoskeletal",
  "breast",
  "obstetric",
  "paediatric",
  "emergency",
];
