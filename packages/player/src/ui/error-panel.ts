import type { ErrorCode } from "@cidcast/client";
import { errorText } from "../text/error-text.ts";
import { el, setText } from "./dom.ts";
import { icon } from "./icons.ts";

export interface ErrorPanel {
  readonly element: HTMLElement;
  show(error: { readonly code: ErrorCode; readonly message: string }): void;
  hide(): void;
}

/** What happened, what to do, the code, and a way to try again where that can help. */
export function createErrorPanel(onRetry: () => void): ErrorPanel {
  const title = el("h2");
  const advice = el("p");
  const code = el("code");
  const message = el("p", { class: "error-message" });
  const retry = el("button", {
    class: "action",
    text: "Try again",
    attributes: { type: "button" },
    on: { click: onRetry },
  });
  const element = el(
    "section",
    { class: "error", attributes: { role: "alert", part: "error", hidden: "" } },
    [
      el("div", { class: "error-box" }, [
        icon("warning"),
        title,
        advice,
        retry,
        el("details", {}, [el("summary", {}, ["Details: ", code]), message]),
      ]),
    ],
  );
  return {
    element,
    show(error) {
      const text = errorText(error.code);
      setText(title, text.title);
      setText(advice, text.inItsWords ? `${error.message}. ${text.advice}` : text.advice);
      setText(code, error.code);
      setText(message, error.message);
      retry.hidden = !text.retry;
      element.hidden = false;
    },
    hide() {
      element.hidden = true;
    },
  };
}
