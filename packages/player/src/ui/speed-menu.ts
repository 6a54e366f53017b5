import { el, setText } from "./dom.ts";
import { RATES, rateText } from "./rates.ts";

export interface SpeedMenu {
  /** The button and, above it, its menu. */
  readonly element: HTMLElement;
  update(rate: number): void;
}

/** A button that shows the rate, and a menu of rates: arrows move, Enter chooses, Escape closes. */
export function createSpeedMenu(onChoose: (rate: number) => void): SpeedMenu {
  // Names are looked up within the shadow root, so every player can use the same.
  const id = "speed-menu";
  const items = RATES.map(rate =>
    el("button", {
      text: rate === 1 ? "Normal" : rateText(rate),
      attributes: { type: "button", role: "menuitemradio", tabindex: "-1" },
      on: { click: () => choose(rate) },
    }),
  );
  const menu = el(
    "div",
    { class: "speed-menu", attributes: { id, role: "menu", "aria-label": "Speed", hidden: "" } },
    items,
  );
  const button = el("button", {
    class: "speed",
    attributes: {
      type: "button",
      part: "button speed",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-controls": id,
    },
    on: { click: () => toggle(menu.hidden !== false) },
  });
  const element = el("div", { class: "speed-box" }, [menu, button]);

  const toggle = (open: boolean): void => {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) (items.find(item => item.getAttribute("aria-checked") === "true") ?? items[0])?.focus();
  };
  const close = (): void => {
    toggle(false);
    button.focus();
  };
  const choose = (rate: number): void => {
    onChoose(rate);
    close();
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
    update(rate) {
      setText(button, rateText(rate));
      const name = `Speed: ${rateText(rate)} (< >)`;
      if (button.title !== name) {
        button.title = name;
        button.setAttribute("aria-label", name);
      }
      for (const [at, item] of items.entries()) item.setAttribute("aria-checked", String(RATES[at] === rate));
    },
  };
}
