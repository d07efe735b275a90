/** The rounds' operations of the API. */
import { answered, client } from "@/api/client";
import type { components } from "@/api/schema";

export type Round = components["schemas"]["Round"];
export type Joined = components["schemas"]["Joined"];
type Institution = components["schemas"]["Institution"];

const at = (id: string): { params: { path: { round_id: string } } } => ({ params: { path: { round_id: id } } });

export const rounds = async (): Promise<readonly Round[]> => (await answered(client.GET("/api/v1/rounds"))).items;
export const round = (id: string): Promise<Round> => answered(client.GET("/api/v1/rounds/{round_id}", at(id)));
export const openRound = (studyInstanceUid: string, title: string, invited: string[]): Promise<Round> =>
  answered(client.POST("/api/v1/rounds", { body: { study_instance_uid: studyInstanceUid, title, invited } }));
export const joinRound = (id: string): Promise<Joined> => answered(client.POST("/api/v1/rounds/{round_id}/join", at(id)));
export const closeRound = (id: string): Promise<Round> => answered(client.POST("/api/v1/rounds/{round_id}/close", at(id)));
export const calendarOf = (id: string): string => `/api/v1/rounds/${encodeURIComponent(id)}.ics`;
export const institutions = async (): Promise<readonly Institution[]> => (await answered(client.GET("/api/v1/institutions"))).items;
