import { type AddResult, toClientError } from "@cidcast/client";
import { el, errorText, formatBytes } from "@cidcast/player";
import { pageToken } from "../shared/access.ts";
import type { Unfinished } from "./resumable.ts";
import { upload } from "./upload.ts";

/** A line of the list of uploads. */
export interface UploadRow {
  readonly element: HTMLElement;
  readonly file: { readonly name: string; readonly size: number };
}

/** What happens to a line, for the list. */
export interface RowHooks {
  readonly onAdded: (result: AddResult) => void;
  readonly onRemoved: (row: UploadRow) => void;
}

/** A file that waits or is being sent. */
export interface SendingRow extends UploadRow {
  /** Resolves when it has been sent, or will not be. */
  send(): Promise<void>;
}

export function sendingRow(file: File, { onAdded, onRemoved }: RowHooks): SendingRow {
  const scope = new AbortController();
  const parts = rowParts(file.name, () => {
    scope.abort();
    onRemoved(row);
  });
  const { element, state, bar } = parts;
  const send = async (): Promise<void> => {
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
            share < 1 ? progressText(sent, file.size) : "Sent. The node is working out the CID…";
        },
        onWait: () => (state.textContent = "Connection lost. It goes on as soon as the node answers…"),
      });
      parts.done(result);
      onAdded(result);
    } catch (thrown) {
      const error = toClientError(thrown);
      if (error.code === "ABORTED") return;
      bar.hidden = true;
      element.classList.add("failed");
      const words = errorText(error.code);
      state.textContent = `Not added. ${words.title}: ${error.message} (${error.code})`;
      parts.mayHide();
      parts.actions.prepend(
        el("button", {
          class: "button primary",
          text: "Try again",
          attributes: { type: "button", "aria-label": `Try again to add ${file.name}` },
          on: {
            click: event => {
              if (event.currentTarget instanceof HTMLElement) event.currentTarget.remove();
              element.classList.remove("failed");
              bar.hidden = false;
              void send();
            },
          },
        }),
      );
    }
  };
  const row = { element, file, send };
  return row;
}

/** A file that an earlier visit left in the middle: it goes on when it is chosen again. */
export function unfinishedRow(unfinished: Unfinished, { onAdded, onRemoved }: RowHooks): UploadRow {
  const { name, size, offset, added } = unfinished;
  const parts = rowParts(name, () => {
    onRemoved(row);
    // What cannot be ended now ends by itself a day after it began.
    if (added === undefined) unfinished.forget().catch(() => undefined);
  });
  const row = { element: parts.element, file: { name, size } };
  if (added !== undefined) {
    parts.done(added);
    onAdded(added);
    return row;
  }
  parts.element.classList.add("unfinished");
  parts.bar.value = size > 0 ? offset / size : 1;
  parts.state.textContent = `${progressText(offset, size)} was sent before. Choose the file again to go on.`;
  parts.actions.prepend(
    el("label", { class: "button primary", text: "Choose the file", attributes: { for: "picker" } }),
  );
  return row;
}

function progressText(sent: number, size: number): string {
  const percent = size > 0 ? Math.floor((sent / size) * 100) : 100;
  return `${formatBytes(sent)} of ${formatBytes(size)} · ${percent} %`;
}

function rowParts(name: string, onEnd: () => void) {
  const state = el("span", { class: "soft", text: "Waiting", attributes: { role: "status" } });
  const bar = el("progress", { attributes: { max: "1", value: "0", "aria-label": `Upload of ${name}` } });
  const end = el("button", {
    class: "button",
    text: "Cancel",
    attributes: { type: "button", "aria-label": `Cancel upload of ${name}` },
    on: { click: onEnd },
  });
  const actions = el("span", { class: "actions" }, [end]);
  const element = el("li", { class: "upload" }, [el("strong", { text: name }), state, bar, actions]);
  const mayHide = (): void => {
    end.textContent = "Hide";
    end.setAttribute("aria-label", `Hide ${name}`);
  };
  const done = (result: AddResult): void => {
    bar.hidden = true;
    state.textContent = "Added";
    element.classList.add("done");
    const play = el("a", {
      class: "button primary",
      text: "Play",
      attributes: { href: `/play/${result.cid}`, "aria-label": `Play ${name}` },
    });
    mayHide();
    actions.prepend(play);
  };
  return { element, state, bar, actions, mayHide, done };
}
