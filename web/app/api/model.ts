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
export type NewRequest = Required<Schemas["NewRequest"]>;
export type ConsentScope = Schemas["Scope"];
export type GivenConsent = Required<Schemas["GivenConsent"]>;
export type NewConsent = Required<Schemas["NewConsent"]>;
export type EvidenceKind = Schemas["EvidenceKind"];
export type KeptConsent = Required<Schemas["KeptConsent"]>;
export type Standing = Schemas["Standing"];
export type Tray = Schemas["Tray"];
export type NewEarlyRequest = Required<Schemas["NewEarlyRequest"]>;
export type ServiceRequest = Required<Schemas["ServiceRequest"]>;
export type Institution = Schemas["Institution"];
export type User = Schemas["User"];
export type Agreement = Required<Schemas["Agreement"]>;
export type NewAgreement = Required<Schemas["NewAgreement"]>;
export type Expertise = Schemas["Expertise"];
export type SeenQualification = Required<Schemas["SeenQualification"]>;
export type DutyKind = Schemas["DutyKind"];
export type Duty = Required<Schemas["Duty"]>;
export type NewDuty = Required<Schemas["NewDuty"]>;
export type Change = Required<Schemas["Change"]>;
export type NewChange = Required<Schemas["NewChange"]>;
export type PromisedHours = Required<Schemas["PromisedHours"]>;
export type Gap = Schemas["Gap"];
export type Week = Schemas["Week"];
export type Session = Schemas["Session"];
export type Person = Schemas["Person"];
export type Practitioner = Schemas["Practitioner"];
export type Patient = Required<Schemas["Patient"]>;
export type Task = Required<Schemas["Task"]>;
export type Question = Schemas["Question"];
export type Study = Required<Schemas["Study"]>;
export type StudyDetail = Required<Schemas["StudyDetail"]> & { readonly series: Series[] };
export type Series = Schemas["Series"] & { readonly instances: Instance[] };
export type Instance = Required<Schemas["Instance"]>;
/** A frame worth showing; frames count from 1, as DICOM counts them. */
export type KeyImage = Required<Schemas["KeyImage"]>;
export type Report = Required<Schemas["Report"]>;
/** What becomes of a signed report by a further version. */
export type Replacing = Exclude<Report["status"], "preliminary" | "final">;
/** Why a report is cancelled. */
export type Withdrawal = Schemas["Withdrawal"];
export type Return = Required<Schemas["Return"]>;
export type Turnaround = Schemas["Turnaround"];
export type Figures = Schemas["Figures"];
export type Remark = Schemas["Remark"];
export type RadpeerScore = Schemas["Radpeer"];
/** What one reader signed before the report was final. */
export type SignedReading = Required<Schemas["SignedReading"]>;
/** One region of a study that several read at once. */
export type Section = Required<Schemas["Section"]>;
export type SectionText = Schemas["SectionText"];
export type ReadingComparison = Required<Schemas["ReadingComparison"]>;
/** Whether a task is read twice, what was signed of it before its report was final, and how that compared. */
export type Readings = Omit<Required<Schemas["Shown"]>, "items" | "comparison"> & { items: SignedReading[]; comparison: ReadingComparison | null };
export type Review = Required<Schemas["Review"]>;
export type ReadingRule = Required<Schemas["ReadingRule"]>;
export type Sampling = Required<Schemas["Sampling"]>;
export type Quality = Required<Schemas["SiteQuality"]>;
export type Discordance = Required<Schemas["Discordance"]>;
/** What quality is put together by. */
export type QualityKey = "site" | "device";
export type DiscordanceKey = "reader" | "lane" | "institution" | "performer" | "month";
export type Channel = Schemas["ShownChannel"];
export type NewChannel = Schemas["NewChannel"];
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
export type Comparison = Schemas["Comparison"];
export type Long = Schemas["Long"];
export type Fault = Required<Schemas["Fault"]>;
/** A recording that the couch gate asks about, and whose it is. */
export interface GateCard {
  readonly gate: Required<Schemas["Gate"]> & { readonly faults: Fault[] };
  readonly patient: Patient;
}
export type Identity = Schemas["Identity"];
export type KnownPerson = Schemas["KnownPerson"];
export type Doubt = Schemas["Doubt"];
export type TheirStudy = Schemas["TheirStudy"];
export type ToldSplit = Schemas["ToldSplit"];
export type Splitting = Schemas["Splitting"];
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

/** What a draft said once; the newest first in a list. */
export type DraftVersion = Schemas["DraftVersion"];
export type PhraseKind = Schemas["PhraseKind"];
export type Keeper = Schemas["Keeper"];
export type Region = Schemas["Region"];
export type Wording = Required<Schemas["PhraseWording"]>;
export type Phrase = Required<Schemas["Phrase"]> & { readonly wording: Wording };
export type PhraseVersion = Schemas["PhraseVersion"] & { readonly wording: Wording };
/** The templates that fit a task, the best first, the others, and the macros. */
export interface Offer {
  readonly fit: readonly Phrase[];
  readonly others: readonly Phrase[];
  readonly macros: readonly Phrase[];
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
