import { el } from "./dom.ts";
import { type IconName, icon } from "./icons.ts";

/** A button with an icon and a name that can change with its state. */
export interface IconButton {
  readonly element: HTMLButtonElement;
  /** Shows `name` and `iconName`; `pressed` for buttons that switch something on and off. */
  show(iconName: IconName, name: string, pressed?: boolean): void;
}

export function createIconButton(className: string, onClick: () => void): IconButton {
  const element = el("button", {
    class: className,
    attributes: { type: "button", part: `button ${className}` },
    on: { click: onClick },
  });
  let shown = "";
  return {
    element,
    show(iconName, name, pressed) {
      const next = `${iconName} ${name} ${pressed}`;
      if (next === shown) return;
      shown = next;
      element.replaceChildren(icon(iconName));
      element.setAttribute("aria-label", name);
      element.title = name;
      if (pressed !== undefined) element.setAttribute("aria-pressed", String(pressed));
    },
  };
}
