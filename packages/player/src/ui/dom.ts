/** Attributes and listeners of an element made by {@link el}. */
export interface ElementInit {
  readonly class?: string;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly on?: Readonly<Record<string, (event: Event) => void>>;
}

/** Makes an element with what belongs to it. Text is set as text: nothing given here is parsed as HTML. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  init: ElementInit = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (init.class !== undefined) element.className = init.class;
  if (init.text !== undefined) element.textContent = init.text;
  for (const [name, value] of Object.entries(init.attributes ?? {})) element.setAttribute(name, value);
  for (const [name, listener] of Object.entries(init.on ?? {})) element.addEventListener(name, listener);
  element.append(...children);
  return element;
}

/** Sets `text` only when it differs, so that screen readers do not repeat themselves. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
