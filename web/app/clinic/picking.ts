/** Files out of a drop or a file chooser, folders walked to the bottom. */
import type { Picked } from "@/clinic/sorting";

/** A folder deeper or larger than this was not meant: a whole disk dropped by mistake. */
const DEEPEST = 12;
const MOST_FILES = 20_000;

export function fromChooser(list: FileList): Picked[] {
  return Array.from(list, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** The entries must be asked for in the drop event itself; they are walked afterwards. */
export function fromDrop(transfer: DataTransfer): Promise<Picked[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return walk(entries);
}

async function walk(roots: FileSystemEntry[]): Promise<Picked[]> {
  const found: Picked[] = [];
  const waiting = roots.map((entry) => ({ entry, depth: 0 }));
  for (let next = waiting.shift(); next && found.length < MOST_FILES; next = waiting.shift()) {
    const { entry, depth } = next;
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    } else if (depth < DEEPEST) {
      for (const child of await children(entry as FileSystemDirectoryEntry)) waiting.push({ entry: child, depth: depth + 1 });
    }
  }
  return found;
}

async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    // Browsers hand out a hundred at a time; an empty hand is the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
