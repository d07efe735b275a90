/** Who is signed in: kept in memory, found again from the cookie after a reload. */
import { reactive, readonly } from "vue";
import { credentials } from "@/api/client";
import { live } from "@/api/live";
import type { Role, Session, User } from "@/api/model";
import { currentSession, endSession, openSession } from "@/api/operations";
import { Problem } from "@/api/problem";

const state = reactive<{ user: User | null; dicomAddress: string }>({ user: null, dicomAddress: "" });

export const session = readonly(state);

function begin({ user, csrf_token, dicom_address }: Session): void {
  state.user = user;
  state.dicomAddress = dicom_address;
  credentials.csrfToken = csrf_token;
  live.open();
}

/** Forget the person on this screen, whatever the server thinks. */
export function forget(): void {
  state.user = null;
  credentials.csrfToken = "";
  live.close();
}

/** Find the session of the cookie, if there is one; a server that cannot be reached is a `Problem`. */
export async function restore(): Promise<void> {
  try {
    begin(await currentSession());
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  begin(await openSession(username, password));
}

export async function signOut(): Promise<void> {
  try {
    await endSession();
  } finally {
    forget();
  }
}

export function has(...roles: Role[]): boolean {
  return state.user !== null && roles.some((role) => state.user?.roles.includes(role));
}
