import type { ListSort } from "@cidcast/client";
import { el } from "@cidcast/player";

const STORAGE_KEY = "cidcast-library-view";
const SORTS: Readonly<Record<ListSort, string>> = {
  newest: "Newest first",
  oldest: "Oldest first",
  name: "By name",
  largest: "Largest first",
};

/** How the library is shown: kept between visits. */
export interface ViewChoice {
  readonly element: HTMLElement;
  readonly sort: ListSort;
  readonly grid: boolean;
}

export function createViewChoice(onChange: (change: "sort" | "layout") => void): ViewChoice {
  const stored = read();
  let grid = stored.grid ?? true;
  const sort = el(
    "select",
    { class: "sort", attributes: { "aria-label": "Sort" }, on: { change: () => changed("sort") } },
    Object.entries(SORTS).map(([value, text]) => el("option", { text, attributes: { value } })),
  );
  sort.value = stored.sort ?? "newest";
  const layout = el("button", {
    class: "button layout",
    attributes: { type: "button" },
    on: {
      click: () => {
        grid = !grid;
        changed("layout");
      },
    },
  });
  const changed = (change: "sort" | "layout"): void => {
    layout.textContent = grid ? "Show as list" : "Show as grid";
    write({ sort: sortOf(sort.value), grid });
    onChange(change);
  };
  layout.textContent = grid ? "Show as list" : "Show as grid";
  return {
    element: el("div", { class: "view" }, [sort, layout]),
    get sort() {
      return sortOf(sort.value) ?? "newest";
    },
    get grid() {
      return grid;
    },
  };
}

interface Stored {
  readonly sort: ListSort | undefined;
  readonly grid: boolean | undefined;
}

function sortOf(text: unknown): ListSort | undefined {
  return typeof text === "string" && Object.hasOwn(SORTS, text) ? (text as ListSort) : undefined;
}

function read(): Stored {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
    const { sort, grid } = (stored ?? {}) as { readonly sort?: unknown; readonly grid?: unknown };
    return { sort: sortOf(sort), grid: typeof grid === "boolean" ? grid : undefined };
  } catch {
    // Storage may be forbidden to this page, or hold something else.
    return { sort: undefined, grid: undefined };
  }
}

function write(choice: Stored): void {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(choice));
  } catch {
    // As above: the choice then lasts as long as the page.
  }
}
