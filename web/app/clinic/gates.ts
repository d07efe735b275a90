/** The couch gate's cards: fetched, announced once each by a sound, and the recording that answers one. */
import { watch, type ShallowRef } from "vue";
import { following } from "@/api/following";
import type { GateCard } from "@/api/model";
import { gates } from "@/api/operations";
import { Problem } from "@/api/problem";
import { upload } from "@/clinic/transport";
import { chime } from "@/ui/sound";

const CONCERNS = new Set(["EcgJudged", "EcgRepeated", "EcgKept"]);

/** Follow the open cards of this person's institution. */
export function useGates(): { cards: ShallowRef<GateCard[] | null>; refetch: () => Promise<void> } {
  const { value, refetch } = following(gates, (type) => CONCERNS.has(type));
  const announced = new Set<string>();
  watch(value, (cards) => {
    const fresh = (cards ?? []).filter(({ gate }) => !announced.has(gate.sop_instance_uid));
    for (const { gate } of fresh) announced.add(gate.sop_instance_uid);
    if (fresh.length > 0) chime();
  });
  return { cards: value, refetch };
}

/** Send *files* as the repeat of the recording *replaces*: kept in its study, an answer to the same request. Throws Problem. */
export async function repeatRecording(replaces: string, files: readonly File[]): Promise<void> {
  const form = new FormData();
  form.append("replaces", replaces);
  for (const file of files) form.append("file", file, file.name);
  const answer = await upload({ url: "/api/v1/recordings", body: form, headers: { Accept: "application/json" }, onProgress: () => {} });
  if (answer.status >= 300) throw Problem.parse(answer.status, answer.text);
}
