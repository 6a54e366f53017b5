import { el } from "./dom.ts";
import { createIconButton } from "./icon-button.ts";
import { KEY_HELP } from "./keyboard.ts";

/** A panel over the picture that opens and closes. */
export interface Panel {
  readonly element: HTMLElement;
  readonly open: boolean;
  toggle(open?: boolean): void;
}

/** Title and close button of a panel. */
export function createPanel(className: string, title: string, body: Node, onClose: () => void): Panel {
  const close = createIconButton("close", onClose);
  close.show("close", `Close ${title.toLowerCase()}`);
  const element = el(
    "section",
    {
      class: `panel ${className}`,
      attributes: { "aria-label": title, part: `panel ${className}`, hidden: "" },
    },
    [
      // The words are English whatever the page is; the panel's place follows the page.
      el("div", { attributes: { dir: "ltr", lang: "en" } }, [
        el("header", {}, [el("h2", { text: title }), close.element]),
        body,
      ]),
    ],
  );
  return {
    element,
    get open() {
      return !element.hidden;
    },
    toggle(open) {
      element.hidden = !(open ?? element.hidden !== false);
    },
  };
}

/** The list of keys. */
export function createHelpPanel(onClose: () => void): Panel {
  const list = el("dl", { class: "keys" });
  for (const [keys, does] of KEY_HELP) {
    const caps = keys.map(key => (key === "…" ? el("span", { text: key }) : el("kbd", { text: key })));
    list.append(el("dt", {}, caps), el("dd", { text: does }));
  }
  return createPanel("help-panel", "Keyboard", list, onClose);
}
