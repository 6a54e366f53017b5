import { createNodeClient, type NodeClient } from "@cidcast/client";

/** Where a tab keeps the token that its address brought: gone with the tab. */
const STORAGE_KEY = "cidcast-token";
/** Longest token taken from an address, characters: that of a playback token. */
export const MAX_TOKEN_CHARS = 2048;
/** How long a link holds the token after it was followed, ms: browsers read the address right after the click. */
const FOLLOWED_MS = 0;

/** The token of this tab: what `?token=` brought, which leaves the address bar, or what it brought before. */
export function pageToken(): string | undefined {
  const address = new URL(location.href);
  const given = address.searchParams.get("token");
  try {
    if (given !== null) {
      if (given !== "" && given.length <= MAX_TOKEN_CHARS) sessionStorage.setItem(STORAGE_KEY, given);
      address.searchParams.delete("token");
      history.replaceState(history.state, "", address);
    }
    return sessionStorage.getItem(STORAGE_KEY) ?? undefined;
  } catch {
    // Storage may be forbidden to this page: the address is then the only place that keeps the token.
    return given ?? undefined;
  }
}

/** The API of the node that the page comes from, with the tab's token. */
export function pageNode(): NodeClient {
  const token = pageToken();
  return createNodeClient({ node: location.origin, ...(token === undefined ? {} : { token }) });
}

/** Hands the token to pages of this node that links lead to, also in a new tab. Outside a click no link holds it. */
export function passTokenOn(): void {
  const follow = (event: MouseEvent): void => {
    const token = pageToken();
    const link = event.composedPath().find(part => part instanceof HTMLAnchorElement);
    if (token === undefined || !(link instanceof HTMLAnchorElement) || link.origin !== location.origin)
      return;
    const clean = link.href;
    const target = new URL(clean);
    target.searchParams.set("token", token);
    link.href = target.href;
    setTimeout(() => {
      link.href = clean;
    }, FOLLOWED_MS);
  };
  document.addEventListener("click", follow, { capture: true });
  document.addEventListener("auxclick", follow, { capture: true });
}
