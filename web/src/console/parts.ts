import { el } from "@cidcast/player";

/** A titled part of the console. */
export function panel(
  title: string,
  children: readonly (Node | string)[],
  options: { readonly wide?: boolean } = {},
): HTMLElement {
  const id = `panel-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return el(
    "section",
    { class: options.wide === true ? "panel wide" : "panel", attributes: { "aria-labelledby": id } },
    [el("h2", { text: title, attributes: { id } }), ...children],
  );
}

/** Cells of a row: text, or something to click. */
export type Row = readonly (string | Node)[];

/** A table that can be scrolled sideways where it is too wide, also by keyboard; words when it is empty. */
export function table(caption: string, heads: readonly string[], rows: readonly Row[]): HTMLElement {
  if (rows.length === 0) return el("p", { class: "soft", text: `No ${caption.toLowerCase()}` });
  const body = rows.map(row =>
    el(
      "tr",
      {},
      row.map((cell, index) =>
        index === 0
          ? el("th", { attributes: { scope: "row" } }, [cell])
          : el("td", { attributes: { "data-head": heads[index] ?? "" } }, [cell]),
      ),
    ),
  );
  const columns = heads.map(head =>
    el("th", { attributes: { scope: "col" } }, [
      head === "" ? el("span", { class: "visually-hidden", text: "Actions" }) : head,
    ]),
  );
  return el(
    "div",
    { class: "scroll", attributes: { tabindex: "0", role: "region", "aria-label": `${caption}, table` } },
    [
      el("table", {}, [
        el("caption", { class: "visually-hidden", text: caption }),
        el("thead", {}, [el("tr", {}, columns)]),
        el("tbody", {}, body),
      ]),
    ],
  );
}

export function button(text: string, name: string, onClick: () => void): HTMLButtonElement {
  return el("button", {
    class: "button small",
    text,
    attributes: { type: "button", "aria-label": name },
    on: { click: onClick },
  });
}

/** A labelled input. */
export function field(
  label: string,
  attributes: Readonly<Record<string, string>>,
): { readonly element: HTMLLabelElement; readonly input: HTMLInputElement } {
  const input = el("input", { attributes: { ...attributes, autocomplete: "off" } });
  return { element: el("label", { class: "field" }, [el("span", { text: label }), input]), input };
}

/** A form that sends what was entered, and empties itself. */
export function form(
  name: string,
  fields: readonly Node[],
  init: { readonly submit: string; readonly onSubmit: () => Promise<void> },
): HTMLFormElement {
  const element: HTMLFormElement = el(
    "form",
    {
      attributes: { "aria-label": name },
      on: {
        submit: event => {
          event.preventDefault();
          void init.onSubmit().then(() => element.reset());
        },
      },
    },
    [...fields, el("button", { class: "button primary", text: init.submit, attributes: { type: "submit" } })],
  );
  return element;
}

/** The first characters of something long, the whole of it as its title. */
export function short(text: string, characters = 12): HTMLElement {
  const cut = text.length > characters ? `${text.slice(0, characters)}…` : text;
  return el("code", { text: cut, attributes: { title: text } });
}

/** A time as people read it. */
export function when(value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number") return "never";
  const date = new Date(value);
  return Number.isNaN(date.getTime())
    ? "never"
    : date.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
}

/** Bits per second as people read them. */
export function bitrate(bps: number): string {
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}
