import { el } from "./dom.ts";

/** How long a notice stays, ms. */
const NOTICE_MS = 1_600;

/** A word or two over the picture about what a key or gesture has just done. */
export interface Notice {
  readonly element: HTMLElement;
  say(text: string): void;
  /** Stays until something else is said, or it is closed. */
  keep(text: string): void;
  /** Stays until playing goes on, whatever is said meanwhile. */
  tell(text: string): void;
  /** Playing goes on. */
  untell(): void;
  close(): void;
}

export function createNotice(): Notice {
  const element = el("div", { class: "notice", attributes: { role: "status" } });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let told = "";
  const close = (): void => {
    clearTimeout(timer);
    element.textContent = told;
  };
  return {
    element,
    say(text) {
      clearTimeout(timer);
      element.textContent = text;
      timer = setTimeout(close, NOTICE_MS);
    },
    keep(text) {
      clearTimeout(timer);
      element.textContent = text;
    },
    tell(text) {
      told = text;
      close();
    },
    untell() {
      if (told === "") return;
      told = "";
      close();
    },
    close,
  };
}
