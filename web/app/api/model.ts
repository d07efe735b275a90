/**
 * The API's own words, from the schema the server writes of itself.
 *
 * The server always sends every field; where the schema calls one optional it only has a default, hence `Required`.
 */
import type { components } from "@/api/schema";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type Priority = Schemas["Priority"];
export type Lane = Schemas["Lane"];
export type TaskStatus = Schemas["TaskStatus"];
export type DeclineCode = Schemas["Declined"];
/** 会诊 is advice and the clinic decides; 诊断 is issued by the invited hospital. */
export type ReportKind = Schemas["Kind"];
export type ConsentKind = Schemas["ConsentKind"];
export type NewRequest = Schemas["NewRequest"];
export type Institution = Schemas["Institution"];
export type User = Schemas["User"];
export type Session = Schemas["Session"];
export type Person = Schemas["Person"];
export type Practitioner = Schemas["Practitioner"];
export type Patient = Required<Schemas["Patient"]>;
export type Task = Required<Schemas["Task"]>;
export type Question = Schemas["Question"];
export type Study = Required<Schemas["Study"]>;
export type StudyDetail = Required<Schemas["StudyDetail"]>;
export type Series = Schemas["Series"];
export type Instance = Schemas["Instance"];
/** A frame worth showing; frames count from 1, as DICOM counts them. */
export type KeyImage = Required<Schemas["KeyImage"]>;
export type Report = Required<Schemas["Report"]>;
export type Turnaround = Schemas["Turnaround"];
export type Figures = Schemas["Figures"];
export type Remark = Schemas["Remark"];
export type Forecast = Schemas["Forecast"];
export type Score = Schemas["Score"];
/** What consultations are put together by. */
export type ScoreKey = "lane" | "institution" | "performer" | "reader" | "day";
/** What may not have come: numbers of a series, or only how many. */
export type Missing = Required<Schemas["Missing"]>;
export type Rule = Required<Schemas["Rule"]>;
export type Destination = Required<Schemas["Destination"]> & { readonly rules: Rule[] };
export type Conflict = Schemas["Conflict"];
export type Analysis = Schemas["Analysis"];
export type Identity = Schemas["Identity"];
export type KnownPerson = Schemas["KnownPerson"];
export type Doubt = Schemas["Doubt"];
export type ToldMerge = Schemas["ToldMerge"];
export type Merging = Schemas["Merging"];
export type CharsetSetting = Schemas["CharsetSetting"];
export type CharsetProfile = Schemas["CharsetProfile"];
export type IllegibleText = Schemas["IllegibleText"];

/** What the reader writes; `kind` stays open until 会诊 or 诊断 was chosen. */
export interface DraftContent {
  findings: string;
  impression: string;
  kind: ReportKind | null;
  critical: boolean;
  key_images: KeyImage[];
}

/** `version` is 0 before anything was saved. */
export interface Draft extends DraftContent {
  version: number;
  saved_at: string | null;
}

export interface Listing<T> {
  items: T[];
  next: string | null;
}

export type Stamp = "T0" | "T1" | "T2" | "T3" | "T4" | "T5" | "T6";

export interface LiveEvent {
  type: string;
  at: string;
  data: Record<string, unknown>;
  cursor: number;
}
