import { el } from "@cidcast/player";

/** How long a button says that it has copied, ms. */
const SAID_MS = 2_000;

/** A button that copies `text`, as it is when clicked, to the clipboard and says so. */
export function copyButton(label: string, name: string, text: string | (() => string)): HTMLButtonElement {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (words: string): void => {
    button.textContent = words;
    // The name would hide from screen readers what the text says now.
    button.removeAttribute("aria-label");
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      button.setAttribute("aria-label", name);
    }, SAID_MS);
  };
  const button = el("button", {
    class: "button",
    text: label,
    attributes: { type: "button", "aria-label": name, "aria-live": "polite" },
    on: {
      click: () =>
        void copy(typeof text === "string" ? text : text()).then(ok => say(ok ? "Copied" : "Not copied")),
    },
  });
  return button;
}

/** The clipboard API exists on secure origins only: elsewhere a selection is copied the old way. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "visually-hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}
