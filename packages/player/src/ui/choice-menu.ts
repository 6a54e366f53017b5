import { el, setText } from "./dom.ts";

/** A choice of a menu. */
export interface Choice<T> {
  readonly value: T;
  readonly text: string;
}

export interface ChoiceMenuInit<T> {
  /** Names the button for styles, and the menu among others. */
  readonly name: string;
  /** What is chosen, in words for people. */
  readonly label: string;
  /** Keys that do the same, where there are any. */
  readonly keys?: string;
  /** What the button shows for a choice; default: its text. */
  readonly short?: (choice: Choice<T>) => string;
  readonly onChoose: (value: T) => void;
}

export interface ChoiceMenu<T> {
  /** The button and, above it, its menu. */
  readonly element: HTMLElement;
  /** Shows the choices there are and the one that is made; fewer than two are no choice, and hidden. */
  update(choices: readonly Choice<T>[], chosen: T): void;
}

/** A button that shows what is chosen, and a menu of choices: arrows move, Enter chooses, Escape closes. */
export function createChoiceMenu<T>(init: ChoiceMenuInit<T>): ChoiceMenu<T> {
  const { name, label, keys, short = ({ text }) => text, onChoose } = init;
  // Names are looked up within the shadow root, so every player can use the same.
  const id = `${name}-menu`;
  let shown: readonly Choice<T>[] = [];
  let items: HTMLButtonElement[] = [];
  const menu = el("div", {
    class: "choice-menu",
    attributes: { id, role: "menu", "aria-label": label, hidden: "" },
  });
  const button = el("button", {
    class: `choice ${name}`,
    attributes: {
      type: "button",
      part: `button ${name}`,
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-controls": id,
    },
    on: { click: () => toggle(menu.hidden !== false) },
  });
  const element = el("div", { class: "choice-box" }, [menu, button]);

  const toggle = (open: boolean): void => {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) (items.find(item => item.getAttribute("aria-checked") === "true") ?? items[0])?.focus();
  };
  const close = (): void => {
    toggle(false);
    button.focus();
  };
  const fill = (choices: readonly Choice<T>[]): void => {
    shown = choices;
    items = choices.map(({ value, text }) =>
      el("button", {
        text,
        attributes: { type: "button", role: "menuitemradio", tabindex: "-1" },
        on: {
          click: () => {
            onChoose(value);
            close();
          },
        },
      }),
    );
    menu.replaceChildren(...items);
  };
  menu.addEventListener("keydown", event => {
    const [target] = event.composedPath();
    const at = items.findIndex(item => item === target);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1 + items.length,
      Home: 0,
      End: items.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) items[to % items.length]?.focus();
    else if (event.key === "Escape") close();
    // Enter and space are the focused item's click; other keys are the player's.
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("focusout", event => {
    const { relatedTarget } = event;
    if (!(relatedTarget instanceof Node) || !element.contains(relatedTarget)) toggle(false);
  });

  return {
    element,
    update(choices, chosen) {
      element.hidden = choices.length < 2;
      const same =
        choices.length === shown.length && choices.every(({ value }, at) => value === shown[at]?.value);
      if (!same) fill(choices);
      const choice = choices.find(({ value }) => value === chosen);
      const text = choice === undefined ? String(chosen) : short(choice);
      setText(button, text);
      const title = `${label}: ${text}${keys === undefined ? "" : ` (${keys})`}`;
      if (button.title !== title) {
        button.title = title;
        button.setAttribute("aria-label", title);
      }
      for (const [at, item] of items.entries()) {
        item.setAttribute("aria-checked", String(choices[at]?.value === chosen));
      }
    },
  };
}
