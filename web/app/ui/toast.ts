/** News that stays on the screen until somebody opens it or puts it away. */
import { ElNotification } from "element-plus";
import { nextTick } from "vue";

/** Left of what is written or read, below the header: a toast covers neither who is signed in nor the open report. */
const PLACE = { position: "top-left", offset: 58, duration: 0 } as const;

/** Show it; a click puts it away and calls *open*. */
export function toast(said: { title: string; message: string; type: "success" | "warning" | "error"; customClass?: string }, open: () => void): { close: () => void } {
  const shown = ElNotification({
    ...said,
    ...PLACE,
    onClick: () => {
      shown.close();
      open();
    },
  });
  // Of several at one moment none has a height yet by which the next could lie below it.
  void nextTick(() => ElNotification.updateOffsets(PLACE.position));
  return shown;
}
