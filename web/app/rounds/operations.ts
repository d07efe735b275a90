/** The rounds' operations of the API. */
import { call } from "@/api/client";
import type { Institution, Listing, Patient, Person } from "@/api/model";

export interface Participant extends Person {
  joined_at: string;
  left_at: string | null;
}

export interface Round {
  id: string;
  title: string;
  study_instance_uid: string;
  institution: Institution;
  invited: Institution[];
  patient: Patient;
  modalities: string[];
  description: string;
  status: "open" | "closed";
  opened_at: string;
  opened_by: Person;
  closed_at: string | null;
  participants: Participant[];
}

export interface Joined {
  participant_id: string;
  ice_servers: string[];
  signalling: string;
}

const part = encodeURIComponent;

export const rounds = async (): Promise<Round[]> => (await call<Listing<Round>>("/rounds")).items;
export const round = (id: string): Promise<Round> => call(`/rounds/${part(id)}`);
export const openRound = (studyInstanceUid: string, title: string, invited: readonly string[]): Promise<Round> =>
  call("/rounds", { method: "POST", body: { study_instance_uid: studyInstanceUid, title, invited } });
export const joinRound = (id: string): Promise<Joined> => call(`/rounds/${part(id)}/join`, { method: "POST", body: {} });
export const closeRound = (id: string): Promise<Round> => call(`/rounds/${part(id)}/close`, { method: "POST", body: {} });
export const calendarOf = (id: string): string => `/api/v1/rounds/${part(id)}.ics`;
