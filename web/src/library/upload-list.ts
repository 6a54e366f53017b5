import type { AddResult } from "@cidcast/client";
import { el } from "@cidcast/player";
import { pageToken } from "../shared/access.ts";
import { type SendingRow, sendingRow, type UploadRow, unfinishedRow } from "./upload-row.ts";

/** Uploads at the same time; the others wait. One fills a link, two hide the pauses between files. */
const PARALLEL_UPLOADS = 2;
/** What the keys of unfinished uploads in this browser's storage begin with. */
const UNFINISHED_PREFIX = "tus::";

/** Shows uploads and their progress; sends them a few at a time. */
export interface UploadList {
  readonly element: HTMLElement;
  add(files: Iterable<File>): void;
  /** Shows what an earlier visit has left in the middle. */
  showUnfinished(): Promise<void>;
}

export function createUploadList(onAdded: (result: AddResult) => void): UploadList {
  const list = el("ul", { class: "uploads", attributes: { "aria-label": "Uploads" } });
  const count = el("span", { class: "soft", attributes: { role: "status" } });
  const clear = el("button", {
    class: "button",
    text: "Hide finished",
    attributes: { type: "button" },
    on: { click: () => hideFinished() },
  });
  const summary = el("div", { class: "summary" }, [count, clear]);
  const element = el("section", { class: "sending", attributes: { "aria-label": "Sending", hidden: "" } }, [
    summary,
    list,
  ]);
  const rows = new Set<UploadRow>();
  const waiting: SendingRow[] = [];
  let running = 0;

  const show = (): void => {
    const done = [...rows].filter(row => row.element.classList.contains("done")).length;
    element.hidden = rows.size === 0;
    summary.hidden = rows.size < 2;
    clear.hidden = done === 0;
    count.textContent = `${done} of ${rows.size} added`;
  };
  const remove = (row: UploadRow): void => {
    rows.delete(row);
    row.element.remove();
    show();
  };
  const hideFinished = (): void => {
    for (const row of rows) if (row.element.classList.contains("done")) remove(row);
  };
  const hooks = {
    onRemoved: remove,
    onAdded: (result: AddResult): void => {
      show();
      onAdded(result);
    },
  };
  const next = (): void => {
    const row = running < PARALLEL_UPLOADS ? waiting.shift() : undefined;
    if (row === undefined) return;
    running += 1;
    void row.send().finally(() => {
      running -= 1;
      next();
    });
  };
  const put = (row: UploadRow): void => {
    rows.add(row);
    list.append(row.element);
  };
  return {
    element,
    add(files) {
      for (const file of files) {
        // The same file goes on where it was.
        for (const row of rows) {
          const same = row.file.name === file.name && row.file.size === file.size;
          if (same && row.element.classList.contains("unfinished")) remove(row);
        }
        const row = sendingRow(file, hooks);
        put(row);
        waiting.push(row);
        next();
      }
      show();
    },
    async showUnfinished() {
      if (!mayHaveUnfinished()) return;
      const { unfinishedUploads } = await import("./resumable.ts");
      for (const unfinished of await unfinishedUploads(pageToken())) put(unfinishedRow(unfinished, hooks));
      show();
    },
  };
}

function mayHaveUnfinished(): boolean {
  try {
    return Object.keys(localStorage).some(key => key.startsWith(UNFINISHED_PREFIX));
  } catch {
    // Storage may be forbidden to this page: then nothing is remembered.
    return false;
  }
}
