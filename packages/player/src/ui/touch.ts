/** Longest time between the two taps of a double tap, ms. */
const DOUBLE_TAP_MS = 300;
/** How far a finger may move in a tap, CSS pixels. */
const TAP_SLOP = 12;
/** How long a finger rests for a long press, ms. */
const LONG_PRESS_MS = 500;

export interface TouchActions {
  /** One tap, once it is known that no second follows. */
  tap(): void;
  /** Two taps near the left (-1) or right (1) edge, or between (0). */
  doubleTap(side: -1 | 0 | 1): void;
  /** A finger rests on the picture, and is taken away. */
  press(held: boolean): void;
}

/** Tells taps, double taps and long presses of a finger on the picture apart. Mouse and pen are left alone. */
export function watchTouch(target: HTMLElement, actions: TouchActions): void {
  let down: { readonly x: number; readonly y: number } | undefined;
  let pressing: ReturnType<typeof setTimeout> | undefined;
  let tapped: ReturnType<typeof setTimeout> | undefined;
  let held = false;
  const end = (): void => {
    clearTimeout(pressing);
    down = undefined;
    if (held) actions.press(false);
    held = false;
  };
  target.addEventListener("pointerdown", event => {
    if (event.pointerType !== "touch") return;
    down = { x: event.clientX, y: event.clientY };
    pressing = setTimeout(() => {
      held = true;
      actions.press(true);
    }, LONG_PRESS_MS);
  });
  target.addEventListener("pointermove", event => {
    if (down === undefined || held) return;
    if (Math.hypot(event.clientX - down.x, event.clientY - down.y) > TAP_SLOP) end();
  });
  target.addEventListener("pointercancel", end);
  target.addEventListener("pointerup", event => {
    if (event.pointerType !== "touch" || down === undefined) return;
    const long = held;
    end();
    if (long) return;
    if (tapped === undefined) {
      tapped = setTimeout(() => {
        tapped = undefined;
        actions.tap();
      }, DOUBLE_TAP_MS);
      return;
    }
    clearTimeout(tapped);
    tapped = undefined;
    const box = target.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    actions.doubleTap(share < 1 / 3 ? -1 : share > 2 / 3 ? 1 : 0);
  });
  target.addEventListener("contextmenu", event => {
    if (held) event.preventDefault();
  });
}
