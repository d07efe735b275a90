/** One function per operation of the API, named by what it does. */
import { answered, client } from "@/api/client";
import type {
  Agreement,
  Analysis,
  Channel,
  CharsetProfile,
  CharsetSetting,
  Conflict,
  DeclineCode,
  Destination,
  Discordance,
  DiscordanceKey,
  Doubt,
  Draft,
  DraftContent,
  DraftVersion,
  EvidenceKind,
  Figures,
  Forecast,
  GateCard,
  Gap,
  IllegibleText,
  Institution,
  KeptConsent,
  KnownPerson,
  Merging,
  NewAgreement,
  NewChange,
  NewChannel,
  NewConsent,
  NewDuty,
  NewEarlyRequest,
  NewRequest,
  Offer,
  Phrase,
  PhraseKind,
  PhraseVersion,
  Practitioner,
  PromisedHours,
  Quality,
  QualityKey,
  Question,
  RadpeerScore,
  Region,
  Readings,
  ReadingRule,
  Report,
  Remark,
  Return,
  Review,
  Rule,
  Sampling,
  Score,
  ScoreKey,
  SeenQualification,
  ServiceRequest,
  Section,
  SectionText,
  Session,
  Splitting,
  Standing,
  Study,
  StudyDetail,
  Task,
  TaskStatus,
  TheirStudy,
  ToldMerge,
  Tray,
  ToldSplit,
  Turnaround,
  Week,
  Withdrawal,
  Wording,
} from "@/api/model";

const PAGE = 100;
/** Pages a list is followed for; beyond this many rows a screen is no longer a list people read. */
const MOST_PAGES = 5;

interface Page {
  items: unknown[];
  next?: string | null;
}

/** Follow a list page by page. The schema's defaults make fields optional that the server always sends: see `api/model`. */
async function every<T>(page: (cursor: string | undefined) => Promise<Page>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let count = 0; count < MOST_PAGES; count++) {
    const found = await page(cursor);
    items.push(...(found.items as T[]));
    if (!found.next) break;
    cursor = found.next;
  }
  return items;
}

export const currentSession = (): Promise<Session> => answered(client.GET("/api/v1/session"));
export const openSession = (username: string, password: string): Promise<Session> =>
  answered(client.POST("/api/v1/session", { body: { username, password } }));
export const endSession = async (): Promise<void> => {
  await answered(client.DELETE("/api/v1/session"));
};

export const studies = (query: { patient_id?: string; q?: string } = {}): Promise<Study[]> =>
  every((cursor) => answered(client.GET("/api/v1/studies", { params: { query: { ...query, limit: PAGE, cursor } } })));
export const study = async (study_instance_uid: string): Promise<StudyDetail> =>
  (await answered(client.GET("/api/v1/studies/{study_instance_uid}", { params: { path: { study_instance_uid } } }))) as StudyDetail;

/** Other institutions' studies of who may be the same patient, as far as a consent lets them be seen. */
export const alikeStudies = async (name: string, sex: "M" | "F" | "O", birth_date: string): Promise<Study[]> =>
  (await answered(client.GET("/api/v1/studies/alike", { params: { query: { name, sex, birth_date } } }))).items as Study[];

/** Ask for a consultation on a study; 409 while one still waits for its answer. */
export const placeRequest = async (body: NewRequest): Promise<void> => {
  await answered(client.POST("/api/v1/requests", { body }));
};

/** The whole request that a task answers. */
export const requestOf = async (task_id: string): Promise<ServiceRequest> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/request", { params: { path: { task_id } } }))) as ServiceRequest;

/** Requests without a study and studies without a request. */
export const tray = (): Promise<Tray> => answered(client.GET("/api/v1/tray"));
/** Ask before the examination: it is on the modality worklist, and linked to its study once that comes. */
export const placeEarly = async (body: NewEarlyRequest): Promise<void> => {
  await answered(client.POST("/api/v1/tray/requests", { body }));
};
export const linkRequest = async (early_id: string, study_instance_uid: string): Promise<void> => {
  await answered(client.POST("/api/v1/tray/requests/{early_id}/link", { params: { path: { early_id } }, body: { study_instance_uid } }));
};
export const unlinkRequest = async (early_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/tray/requests/{early_id}/unlink", { params: { path: { early_id } } }));
};
export const revokeRequest = async (early_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/tray/requests/{early_id}/revoke", { params: { path: { early_id } } }));
};

export const consentsOf = async (study_instance_uid: string): Promise<KeptConsent[]> =>
  (await answered(client.GET("/api/v1/consents", { params: { query: { study_instance_uid } } }))).items as KeptConsent[];
export const recordConsent = async (body: NewConsent): Promise<KeptConsent> =>
  (await answered(client.POST("/api/v1/consents", { body }))) as KeptConsent;
/** Keep a photograph of the paper, or the drawn signature. */
export const showConsent = async (consent_id: string, kind: EvidenceKind, content: Blob): Promise<void> => {
  const path = { consent_id, kind };
  const headers = { "Content-Type": content.type };
  await answered(
    client.PUT("/api/v1/consents/{consent_id}/evidence/{kind}", { params: { path }, body: content as unknown as string, bodySerializer: (body) => body, headers }),
  );
};
/** Where a photograph or signature is. */
export const evidenceOf = (consent_id: string, kind: EvidenceKind): string => `/api/v1/consents/${encodeURIComponent(consent_id)}/evidence/${kind}`;
/** Revoke a consent; what was asked on it and is not answered is withdrawn. */
export const revokeConsent = async (consent_id: string, reason: string): Promise<void> => {
  await answered(client.POST("/api/v1/consents/{consent_id}/revoke", { params: { path: { consent_id } }, body: { reason } }));
};
/** The standing consents under which a clinic's studies are routed. */
export const routing = (): Promise<Standing[]> => every(() => answered(client.GET("/api/v1/agreements/routing")));
export const allowRouting = async (agreement_id: string, keeper: string): Promise<void> => {
  await answered(client.POST("/api/v1/agreements/{agreement_id}/routing", { params: { path: { agreement_id } }, body: { keeper, note: "" } }));
};
export const endRouting = async (agreement_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/agreements/{agreement_id}/routing", { params: { path: { agreement_id } } }));
};

/** The queue, most urgent first: everything still open, or only what is in *status*. */
export const tasks = (status?: TaskStatus[]): Promise<Task[]> =>
  every((cursor) => answered(client.GET("/api/v1/tasks", { params: { query: { status, limit: PAGE, cursor } } })));
export const task = async (task_id: string): Promise<Task> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}", { params: { path: { task_id } } }))) as Task;
export const claim = async (task_id: string): Promise<Task> =>
  (await answered(client.POST("/api/v1/tasks/{task_id}/claim", { params: { path: { task_id } } }))) as Task;
export const release = async (task_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/tasks/{task_id}/release", { params: { path: { task_id } } }));
};
export const decline = async (task_id: string, code: DeclineCode, reason: string): Promise<void> => {
  await answered(client.POST("/api/v1/tasks/{task_id}/decline", { params: { path: { task_id } }, body: { code, reason } }));
};
export const handover = async (task_id: string, to: string): Promise<void> => {
  await answered(client.POST("/api/v1/tasks/{task_id}/handover", { params: { path: { task_id } }, body: { to } }));
};
export const takeOver = async (task_id: string, reason: string): Promise<Task> =>
  (await answered(client.POST("/api/v1/tasks/{task_id}/take-over", { params: { path: { task_id } }, body: { reason } }))) as Task;
export const readingsOf = async (task_id: string): Promise<Readings> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/readings", { params: { path: { task_id } } }))) as Readings;
/** Say how far the two readings differ; the answer is the final report, null where a third is asked. */
export const compareReadings = async (task_id: string, score: RadpeerScore, comment: string, password: string): Promise<Report | null> =>
  (await answered(client.POST("/api/v1/tasks/{task_id}/comparison", { params: { path: { task_id } }, body: { score, comment, password } })))
    .report as Report | null;
/** Who reads which region, of every task one may read. */
export const sections = (): Promise<Section[]> => every(() => answered(client.GET("/api/v1/sections")));
export const sectionsOf = (task_id: string): Promise<Section[]> => every(() => answered(client.GET("/api/v1/tasks/{task_id}/sections", { params: { path: { task_id } } })));
export const splitTask = async (task_id: string, regions: Region[]): Promise<void> => {
  await answered(client.POST("/api/v1/tasks/{task_id}/sections", { params: { path: { task_id } }, body: { regions } }));
};
export const unsplitTask = async (task_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/tasks/{task_id}/sections", { params: { path: { task_id } } }));
};
export const claimSection = async (section_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/sections/{section_id}/claim", { params: { path: { section_id } } }));
};
export const saveSection = async (section_id: string, body: SectionText): Promise<Section> =>
  (await answered(client.PUT("/api/v1/sections/{section_id}", { params: { path: { section_id } }, body }))) as Section;
export const signSection = async (section_id: string, password: string): Promise<void> => {
  await answered(client.POST("/api/v1/sections/{section_id}/sign", { params: { path: { section_id } }, body: { password } }));
};
export const releaseSection = async (section_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/sections/{section_id}/release", { params: { path: { section_id } } }));
};
export const takeOverSection = async (section_id: string, reason: string): Promise<void> => {
  await answered(client.POST("/api/v1/sections/{section_id}/take-over", { params: { path: { section_id } }, body: { reason } }));
};

export const askSecondReading = async (task_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/tasks/{task_id}/second-reading", { params: { path: { task_id } } }));
};

/** The standing rules by which tasks are read twice. */
export const readingRules = (): Promise<ReadingRule[]> => every(() => answered(client.GET("/api/v1/reading-rules")));
export const addReadingRule = async (body: Omit<ReadingRule, "id" | "task_id">): Promise<void> => {
  await answered(client.POST("/api/v1/reading-rules", { body }));
};
export const removeReadingRule = async (rule_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/reading-rules/{rule_id}", { params: { path: { rule_id } } }));
};
/** How many of a hundred reports of each specialty are reviewed. */
export const samplings = (): Promise<Sampling[]> => every(() => answered(client.GET("/api/v1/review-sampling")));
export const setSampling = async (body: Sampling): Promise<void> => {
  await answered(client.PUT("/api/v1/review-sampling", { body }));
};

/** Reports to be reviewed, and what was raised about one's own. */
export const reviews = (): Promise<Review[]> => every(() => answered(client.GET("/api/v1/reviews")));
export const claimReview = async (review_id: string): Promise<Review> =>
  (await answered(client.POST("/api/v1/reviews/{review_id}/claim", { params: { path: { review_id } } }))) as Review;
export const releaseReview = async (review_id: string): Promise<Review> =>
  (await answered(client.POST("/api/v1/reviews/{review_id}/release", { params: { path: { review_id } } }))) as Review;
export const scoreReview = async (review_id: string, score: RadpeerScore, comment: string, raised: boolean): Promise<Review> =>
  (await answered(client.POST("/api/v1/reviews/{review_id}/score", { params: { path: { review_id } }, body: { score, comment, raised } }))) as Review;
export const upholdReview = async (review_id: string, reason: string): Promise<Review> =>
  (await answered(client.POST("/api/v1/reviews/{review_id}/uphold", { params: { path: { review_id } }, body: { reason } }))) as Review;

/** Renew one's claims; the answer names the tasks one still holds. */
export const renew = (): Promise<string[]> => answered(client.POST("/api/v1/tasks/renew"));
export const ask = async (task_id: string, question: string): Promise<Task> =>
  (await answered(client.POST("/api/v1/tasks/{task_id}/ask", { params: { path: { task_id } }, body: { question } }))) as Task;
export const answer = async (task_id: string, text: string): Promise<Task> =>
  (await answered(client.POST("/api/v1/tasks/{task_id}/answer", { params: { path: { task_id } }, body: { answer: text } }))) as Task;
export const questions = (task_id: string): Promise<Question[]> =>
  answered(client.GET("/api/v1/tasks/{task_id}/questions", { params: { path: { task_id } } }));
/** When the report is expected, null while nobody can tell. */
export const forecast = (task_id: string): Promise<Forecast | null> =>
  answered(client.GET("/api/v1/tasks/{task_id}/forecast", { params: { path: { task_id } } })) as Promise<Forecast | null>;
export const turnaround = (task_id: string): Promise<Turnaround> =>
  answered(client.GET("/api/v1/tasks/{task_id}/turnaround", { params: { path: { task_id } } }));

export const draft = async (task_id: string): Promise<Draft> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/report", { params: { path: { task_id } } }))) as Draft;
/** Save what was written; 409 `draft-stale` when *version* is no longer the newest. */
export const saveDraft = async (task_id: string, content: DraftContent, version: number): Promise<Draft> => {
  const headers = { "If-Match": `"${version}"` };
  return (await answered(client.PUT("/api/v1/tasks/{task_id}/report", { params: { path: { task_id } }, body: content, headers }))) as Draft;
};
/** What the words of the saved draft leave in doubt. */
export const remarks = async (task_id: string): Promise<Remark[]> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/report/remarks", { params: { path: { task_id } } }))).items;
/** What is kept of a draft's earlier versions, the newest first. */
export const draftVersions = async (task_id: string): Promise<readonly DraftVersion[]> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/report/versions", { params: { path: { task_id } } }))).items;
export const draftVersion = async (task_id: string, version: number): Promise<Draft> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/report/versions/{version}", { params: { path: { task_id, version: String(version) } } }))) as Draft;

type Language = "zh" | "en";
/** One's own phrases, one's hospital's and what is built in; the removed ones too. */
export const phrases = async (language: Language): Promise<readonly Phrase[]> =>
  (await answered(client.GET("/api/v1/phrases", { params: { query: { language } } }))).items as Phrase[];
export const offeredPhrases = async (task_id: string, language: Language): Promise<Offer> =>
  (await answered(client.GET("/api/v1/tasks/{task_id}/phrases", { params: { path: { task_id }, query: { language } } }))) as Offer;
export const addPhrase = async (kind: PhraseKind, wording: Wording, shared: boolean, based_on: string | null): Promise<Phrase> =>
  (await answered(client.POST("/api/v1/phrases", { body: { kind, wording, shared, based_on } }))) as Phrase;
/** Let a phrase say something else; 409 `phrase-stale` when *version* is no longer the newest. */
export const changePhrase = async (phrase_id: string, wording: Wording, version: number): Promise<Phrase> =>
  (await answered(client.PUT("/api/v1/phrases/{phrase_id}", { params: { path: { phrase_id } }, body: { wording, version } }))) as Phrase;
export const removePhrase = async (phrase_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/phrases/{phrase_id}", { params: { path: { phrase_id } } }));
};
export const phraseVersions = async (phrase_id: string): Promise<readonly PhraseVersion[]> =>
  (await answered(client.GET("/api/v1/phrases/{phrase_id}/versions", { params: { path: { phrase_id } } }))).items as PhraseVersion[];
export const restorePhrase = async (phrase_id: string, version: number): Promise<Phrase> =>
  (await answered(client.POST("/api/v1/phrases/{phrase_id}/restore", { params: { path: { phrase_id } }, body: { version } }))) as Phrase;
export const sign = async (task_id: string, password: string): Promise<Report> =>
  (await answered(client.POST("/api/v1/tasks/{task_id}/report/sign", { params: { path: { task_id } }, body: { password } }))) as Report;

export const report = async (report_id: string): Promise<Report> =>
  (await answered(client.GET("/api/v1/reports/{report_id}", { params: { path: { report_id } } }))) as Report;
/** Every version of every report on a study, newest first. */
export const reportsOf = async (study_instance_uid: string): Promise<Report[]> =>
  (await answered(client.GET("/api/v1/reports", { params: { query: { study_instance_uid } } }))).items as Report[];
/** Sign a new version that replaces *report_id*; 409 `report-superseded` when somebody was quicker. */
export const amend = async (report_id: string, content: DraftContent, status: "amended" | "corrected", reason: string, password: string): Promise<Report> => {
  const body = { ...content, status, reason, password };
  return (await answered(client.POST("/api/v1/reports/{report_id}/amend", { params: { path: { report_id } }, body }))) as Report;
};
/** Sign a version that adds *text* beneath *report_id* and leaves every word of it. */
export const append = async (report_id: string, text: string, critical: boolean, password: string): Promise<Report> => {
  const body = { text, critical, password };
  return (await answered(client.POST("/api/v1/reports/{report_id}/append", { params: { path: { report_id } }, body }))) as Report;
};
/** Withdraw *report_id* for good. */
export const cancelReport = async (report_id: string, cause: Withdrawal, reason: string, password: string): Promise<Report> => {
  const body = { cause, reason, password };
  return (await answered(client.POST("/api/v1/reports/{report_id}/cancel", { params: { path: { report_id } }, body }))) as Report;
};
/** Every version signed for one's own institution, newest first. */
export const inbox = (): Promise<Report[]> =>
  every((cursor) => answered(client.GET("/api/v1/reports", { params: { query: { limit: PAGE, cursor } } })));
/** A named person has opened the report (T6). */
export const receipt = async (report_id: string): Promise<Report> =>
  (await answered(client.POST("/api/v1/reports/{report_id}/receipt", { params: { path: { report_id } } }))) as Report;
/** Repeat the critical value; only then is the document given to the clinic. */
export const readBack = async (report_id: string, words: string): Promise<Report> =>
  (await answered(client.POST("/api/v1/reports/{report_id}/read-back", { params: { path: { report_id } }, body: { words } }))) as Report;
/** Where the signed document is, for the browser's own PDF viewer; a version that was replaced comes marked as superseded. */
export const pdfOf = (report_id: string): string => `/api/v1/reports/${encodeURIComponent(report_id)}/print.pdf`;
/** Where its DICOM objects went. */
export const returnsOf = async (report_id: string): Promise<Return[]> =>
  (await answered(client.GET("/api/v1/reports/{report_id}/returns", { params: { path: { report_id } } }))).items as Return[];
/** Where the record of its delivery is. */
export const slipOf = (report_id: string): string => `/api/v1/reports/${encodeURIComponent(report_id)}/slip.pdf`;

/** What of this institution's ECGs waits to be recorded again or kept. */
export const gates = async (): Promise<GateCard[]> => (await answered(client.GET("/api/v1/recordings/gates"))) as GateCard[];
export const keepRecording = async (sop_instance_uid: string, reason: string): Promise<void> => {
  await answered(client.POST("/api/v1/recordings/{sop_instance_uid}/keep", { params: { path: { sop_instance_uid } }, body: { reason } }));
};
export const analysis = async (sop_instance_uid: string): Promise<Analysis> =>
  answered(client.GET("/api/v1/recordings/{sop_instance_uid}/analysis", { params: { path: { sop_instance_uid } } }));
export const institutions = (): Promise<Institution[]> => every(() => answered(client.GET("/api/v1/institutions")));
export const people = (): Promise<Practitioner[]> => every(() => answered(client.GET("/api/v1/people")));
/** What was seen of a person's registration, years and expertise. */
export const qualify = async (practitioner_id: string, body: SeenQualification): Promise<void> => {
  await answered(client.PUT("/api/v1/people/{practitioner_id}/qualification", { params: { path: { practitioner_id } }, body }));
};
export const agreements = (): Promise<Agreement[]> => every(() => answered(client.GET("/api/v1/agreements")));
export const addAgreement = async (body: NewAgreement): Promise<void> => {
  await answered(client.POST("/api/v1/agreements", { body }));
};
/** Let an agreement end with the day *on*. */
export const endAgreement = async (agreement_id: string, on: string): Promise<void> => {
  await answered(client.POST("/api/v1/agreements/{agreement_id}/end", { params: { path: { agreement_id } }, body: { on } }));
};

/** Seven days of an institution's rota from *since* (a date) on. */
export const rotaWeek = (since: string, institution: string): Promise<Week> =>
  answered(client.GET("/api/v1/schedule", { params: { query: { since, institution } } }));
/** Promised hours of the next day that nobody covers. */
export const rotaGaps = (): Promise<Gap[]> => every(() => answered(client.GET("/api/v1/schedule/gaps")));
export const planDuty = async (body: NewDuty): Promise<void> => {
  await answered(client.POST("/api/v1/schedule/duties", { body }));
};
export const cancelDuty = async (duty_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/schedule/duties/{duty_id}", { params: { path: { duty_id } } }));
};
export const promiseHours = async (body: PromisedHours): Promise<void> => {
  await answered(client.PUT("/api/v1/schedule/hours", { body }));
};
/** Propose a swap or a stand-in; it holds once both have agreed. */
export const proposeChange = async (body: NewChange): Promise<void> => {
  await answered(client.POST("/api/v1/schedule/changes", { body }));
};
export const agreeToChange = async (change_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/schedule/changes/{change_id}/agree", { params: { path: { change_id } } }));
};
export const refuseChange = async (change_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/schedule/changes/{change_id}/refuse", { params: { path: { change_id } } }));
};

type Span = { from: string; to: string };
/** Counts and percentiles of the consultations that began in [from, to). */
export const figures = (query: Span): Promise<Figures> => answered(client.GET("/api/v1/figures/turnaround", { params: { query } }));
/** The same and more for each lane, institution, hospital, reader or day. */
export const scores = async (query: Span & { by: ScoreKey }): Promise<Score[]> =>
  (await answered(client.GET("/api/v1/figures/scores", { params: { query } }))).items;
/** What was rejected, taken again, amended, cancelled and read differently, for each clinic or device. */
export const quality = (query: Span & { by: QualityKey }): Promise<Quality[]> =>
  every(() => answered(client.GET("/api/v1/figures/quality", { params: { query } })));
/** How readings compared, for each reader, lane, clinic, hospital or month. */
export const discordance = (query: Span & { by: DiscordanceKey }): Promise<Discordance[]> =>
  every(() => answered(client.GET("/api/v1/figures/discordance", { params: { query } })));
/** Where those figures are, for a spreadsheet. */
export const qualityCsv = (query: Span & { by: QualityKey }): string => `/api/v1/figures/quality.csv?${new URLSearchParams(query)}`;
export const discordanceCsv = (span: Span): string => `/api/v1/figures/discordance.csv?${new URLSearchParams(span)}`;
/** Where a line for each of those consultations is, for a spreadsheet. */
export const consultationsCsv = (span: Span): string => `/api/v1/figures/consultations.csv?${new URLSearchParams(span)}`;

/** On which channels each institution is told of its reports. */
export const channels = (): Promise<Channel[]> => every(() => answered(client.GET("/api/v1/delivery/channels")));
export const addChannel = async (body: NewChannel): Promise<void> => {
  await answered(client.POST("/api/v1/delivery/channels", { body }));
};
export const removeChannel = async (channel_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/delivery/channels/{channel_id}", { params: { path: { channel_id } } }));
};
export const tryChannel = async (channel_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/delivery/channels/{channel_id}/try", { params: { path: { channel_id } } }));
};

/** Every peer with its rules and its queue. */
export const destinations = (): Promise<Destination[]> => every(() => answered(client.GET("/api/v1/forwarding")));
export const addRule = async ({ ae_title, institution, modality, reports }: Rule): Promise<void> => {
  await answered(client.POST("/api/v1/forwarding/{ae_title}/rules", { params: { path: { ae_title } }, body: { institution, modality, reports } }));
};
export const removeRule = async ({ ae_title, institution, modality, reports }: Rule): Promise<void> => {
  await answered(client.DELETE("/api/v1/forwarding/{ae_title}/rules", { params: { path: { ae_title }, query: { institution, modality, reports } } }));
};
export const retryForwarding = async (ae_title: string): Promise<void> => {
  await answered(client.POST("/api/v1/forwarding/{ae_title}/retry", { params: { path: { ae_title } } }));
};
export const cancelForwarding = async (ae_title: string): Promise<void> => {
  await answered(client.POST("/api/v1/forwarding/{ae_title}/cancel", { params: { path: { ae_title } } }));
};

/** Other content under a UID already kept, the newest first. */
export const conflicts = (): Promise<Conflict[]> => every(() => answered(client.GET("/api/v1/conflicts")));
export const resolveConflict = async (conflict_id: string, reason: string): Promise<void> => {
  await answered(client.POST("/api/v1/conflicts/{conflict_id}/resolve", { params: { path: { conflict_id } }, body: { reason } }));
};

/** Persons whose name (characters, pinyin, initials) or patient ID begins with *q*. */
export const findPatients = (q: string): Promise<KnownPerson[]> => every(() => answered(client.GET("/api/v1/patients", { params: { query: { q } } })));
/** Patient IDs that several persons share and nobody has looked at yet. */
export const doubtfulPatients = (): Promise<Doubt[]> => every(() => answered(client.GET("/api/v1/patients/doubtful")));
export const tellApart = async (institution: string, patient_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/patients/distinct", { body: { institution, patient_id } }));
};
export const merges = (): Promise<ToldMerge[]> => every(() => answered(client.GET("/api/v1/patients/merges")));
/** Show two patients as one person; 409 `demographics` when sex or birth date differ and that was not said to be known. */
export const mergePatients = async (body: Merging): Promise<void> => {
  await answered(client.POST("/api/v1/patients/merges", { body }));
};
export const undoMerge = async (merge_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/patients/merges/{merge_id}/undo", { params: { path: { merge_id } } }));
};

export const splits = (): Promise<ToldSplit[]> => every(() => answered(client.GET("/api/v1/patients/splits")));
/** The studies that are shown with a patient, the newest first. */
export const patientStudies = (patient_id: string): Promise<TheirStudy[]> =>
  every(() => answered(client.GET("/api/v1/patients/{patient_id}/studies", { params: { path: { patient_id } } })));
/** Show chosen studies as those of another patient, or of a further one with the same ID. */
export const splitPatient = async (patient_id: string, body: Splitting): Promise<void> => {
  await answered(client.POST("/api/v1/patients/{patient_id}/splits", { params: { path: { patient_id } }, body }));
};
export const undoSplit = async (split_id: string): Promise<void> => {
  await answered(client.POST("/api/v1/patients/splits/{split_id}/undo", { params: { path: { split_id } } }));
};

export const charsets = (): Promise<string[]> => every(() => answered(client.GET("/api/v1/charsets")));
export const illegibleNames = (): Promise<IllegibleText[]> => every(() => answered(client.GET("/api/v1/charsets/illegible")));
export const charsetProfiles = (): Promise<CharsetProfile[]> => every(() => answered(client.GET("/api/v1/charsets/profiles")));
/** What a device writes whatever its label says; what it sent before is read again. */
export const setCharset = async (body: CharsetSetting): Promise<void> => {
  await answered(client.POST("/api/v1/charsets/profiles", { body }));
};
export const removeCharset = async (profile_id: string): Promise<void> => {
  await answered(client.DELETE("/api/v1/charsets/profiles/{profile_id}", { params: { path: { profile_id } } }));
};
