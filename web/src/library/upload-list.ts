import { type AddResult, toClientError } from "@cidcast/client";
import { el, errorText, formatBytes } from "@cidcast/player";
import { pageToken } from "../shared/access.ts";
import { upload } from "./upload.ts";

/** Uploads at the same time; the others wait. One fills a link, two hide the pauses between files. */
const PARALLEL_UPLOADS = 2;

/** Shows uploads and their progress; sends them a few at a time. */
export interface UploadList {
  readonly element: HTMLElement;
  add(files: Iterable<File>): void;
}

export function createUploadList(onAdded: (result: AddResult) => void): UploadList {
  const element = el("ul", { class: "uploads", attributes: { "aria-label": "Uploads", hidden: "" } });
  const waiting: (() => Promise<void>)[] = [];
  let running = 0;
  const next = (): void => {
    const job = running < PARALLEL_UPLOADS ? waiting.shift() : undefined;
    if (!job) return;
    running += 1;
    void job().finally(() => {
      running -= 1;
      next();
    });
  };
  return {
    element,
    add(files) {
      for (const file of files) {
        const row = createRow(file, () => {
          if (element.childElementCount === 0) element.hidden = true;
        });
        element.append(row.element);
        waiting.push(() => row.send(onAdded));
        next();
      }
      element.hidden = element.childElementCount === 0;
    },
  };
}

function createRow(file: File, onRemoved: () => void) {
  const scope = new AbortController();
  const state = el("span", { class: "soft", text: "Waiting", attributes: { role: "status" } });
  const bar = el("progress", {
    attributes: { max: "1", value: "0", "aria-label": `Upload of ${file.name}` },
  });
  const end = el("button", {
    class: "button",
    text: "Cancel",
    attributes: { type: "button", "aria-label": `Cancel upload of ${file.name}` },
    on: {
      click: () => {
        scope.abort();
        element.remove();
        onRemoved();
      },
    },
  });
  const actions = el("span", { class: "actions" }, [end]);
  const element = el("li", { class: "upload" }, [el("strong", { text: file.name }), state, bar, actions]);

  const send = async (onAdded: (result: AddResult) => void): Promise<void> => {
    if (scope.signal.aborted) return;
    try {
      const result = await upload({
        node: location.origin,
        token: pageToken(),
        file,
        signal: scope.signal,
        onProgress(sent) {
          const share = file.size > 0 ? sent / file.size : 1;
          bar.value = share;
          state.textContent =
            share < 1
              ? `${formatBytes(sent)} of ${formatBytes(file.size)} · ${Math.floor(share * 100)} %`
              : "Sent. The node is working out the CID…";
        },
      });
      bar.hidden = true;
      state.textContent = "Added";
      element.classList.add("done");
      const play = el("a", {
        class: "button primary",
        text: "Play",
        attributes: { href: `/play/${result.cid}` },
      });
      play.setAttribute("aria-label", `Play ${file.name}`);
      end.textContent = "Hide";
      end.setAttribute("aria-label", `Hide ${file.name}`);
      actions.prepend(play);
      onAdded(result);
    } catch (thrown) {
      const error = toClientError(thrown);
      if (error.code === "ABORTED") return;
      bar.hidden = true;
      element.classList.add("failed");
      const words = errorText(error.code);
      state.textContent = `Not added. ${words.title}: ${error.message} (${error.code})`;
      end.textContent = "Hide";
    }
  };
  return { element, send };
}
