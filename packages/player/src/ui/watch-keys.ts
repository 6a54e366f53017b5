export interface WatchKeysInit {
  /** The element; its attribute `keys="page"` takes keys from the whole page. */
  readonly host: HTMLElement;
  readonly frame: HTMLElement;
  /** Returns true when the key was the player's: nobody else gets it then. */
  readonly onKey: (press: KeyboardEvent) => boolean;
  readonly signal: AbortSignal;
}

/** Passes key presses on that are meant for the player and not for a button or field that has the focus. */
export function watchKeys({ host, frame, onKey, signal }: WatchKeysInit): void {
  const listen = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || belongsToFocused(event)) return;
    if (onKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  frame.addEventListener("keydown", listen, { signal });
  document.addEventListener(
    "keydown",
    event => {
      const inside = event.composedPath().includes(host);
      if (!inside && host.getAttribute("keys") === "page") listen(event);
    },
    { signal },
  );
}

function belongsToFocused(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  if (!(target instanceof HTMLElement)) return false;
  // A player inside a page's form or dialog leaves the page's own fields alone.
  if (target.isContentEditable || target.matches("textarea, select, input:not([type=range])")) return true;
  if (target.matches("button, summary, a[href]")) return event.key === " " || event.key === "Enter";
  // The slider of the volume moves by itself; the seek bar moves by the player's steps.
  return target.matches(".volume-slider") && event.key.startsWith("Arrow");
}
