/** The key images of the text that is being written, for the viewer to mark them: written by its fields alone. */
import { shallowRef } from "vue";
import type { KeyImage } from "@/api/model";

export const marked = shallowRef<readonly KeyImage[]>([]);
