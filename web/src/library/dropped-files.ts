import { MAX_DROPPED_FILES } from "./limits.ts";

/** The files of a drop, those within folders too, under their own names; no more than {@link MAX_DROPPED_FILES}. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // Entries are there during the event alone, so all are taken before the first wait.
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry());
  const files: File[] = [];
  const plain = [...transfer.files];
  for (const [at, entry] of entries.filter(found => found !== null).entries()) {
    if (entry.isDirectory) await collect(entry, files);
    else if (plain[at] !== undefined && files.length < MAX_DROPPED_FILES) files.push(plain[at]);
  }
  // Drops made by scripts have files without entries.
  return entries.some(entry => entry !== null) ? files : plain.slice(0, MAX_DROPPED_FILES);
}

async function collect(entry: FileSystemEntry, into: File[]): Promise<void> {
  if (into.length >= MAX_DROPPED_FILES) return;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    into.push(file);
    return;
  }
  if (!isDirectory(entry)) return;
  const reader = entry.createReader();
  for (;;) {
    // A reader gives some hundred at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    for (const inner of some) await collect(inner, into);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
