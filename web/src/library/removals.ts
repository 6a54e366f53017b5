import { type ClientError, toClientError } from "@cidcast/client";
import { el, errorText } from "@cidcast/player";
import { UNDO_MS } from "./limits.ts";

export interface RemovalsInit {
  /** Takes content away for good. */
  readonly remove: (cid: string) => Promise<void>;
  /** What is to be seen has changed. */
  readonly onChange: () => void;
}

/** Content that is about to be removed: gone from the list at once, from the node when nobody has taken it back. */
export interface Removals {
  readonly element: HTMLElement;
  has(cid: string): boolean;
  add(cid: string, title: string): void;
  /** Carries out what waits, as when the page goes. */
  finish(): void;
}

interface Waiting {
  readonly row: HTMLElement;
  readonly timer: ReturnType<typeof setTimeout>;
}

export function createRemovals({ remove, onChange }: RemovalsInit): Removals {
  const element = el("ul", {
    class: "removals",
    attributes: { "aria-label": "Removed", "aria-live": "polite" },
  });
  const waiting = new Map<string, Waiting>();
  /** Being removed: still to be left out of the list. */
  const leaving = new Set<string>();

  const carryOut = async (cid: string): Promise<void> => {
    const entry = waiting.get(cid);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    waiting.delete(cid);
    leaving.add(cid);
    try {
      await remove(cid);
      entry.row.remove();
    } catch (thrown) {
      showFailure(entry.row, toClientError(thrown));
    } finally {
      leaving.delete(cid);
      onChange();
    }
  };
  const undo = (cid: string): void => {
    const entry = waiting.get(cid);
    clearTimeout(entry?.timer);
    entry?.row.remove();
    waiting.delete(cid);
    onChange();
  };
  return {
    element,
    has: cid => waiting.has(cid) || leaving.has(cid),
    add(cid, title) {
      if (waiting.has(cid) || leaving.has(cid)) return;
      const button = el("button", {
        class: "button",
        text: "Undo",
        attributes: { type: "button", "aria-label": `Undo removal of ${title}` },
        on: { click: () => undo(cid) },
      });
      const row = el("li", { class: "removal" }, [el("span", { text: `Removed ${title}` }), button]);
      element.append(row);
      waiting.set(cid, { row, timer: setTimeout(() => void carryOut(cid), UNDO_MS) });
      button.focus();
      onChange();
    },
    finish() {
      for (const cid of waiting.keys()) void carryOut(cid);
    },
  };
}

function showFailure(row: HTMLElement, error: ClientError): void {
  row.classList.add("failed");
  row.replaceChildren(
    el("span", { text: `Not removed. ${errorText(error.code).title}: ${error.message} (${error.code})` }),
    el("button", {
      class: "button",
      text: "Hide",
      attributes: { type: "button" },
      on: { click: () => row.remove() },
    }),
  );
}
