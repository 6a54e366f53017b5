/** Address of a node's page that plays a CID from a place, whole seconds; from the start where that is 0. */
export function shareLink(node: string, cid: string, seconds: number): string {
  const address = new URL(`/play/${cid}`, node);
  const whole = Math.floor(seconds);
  if (whole > 0) address.searchParams.set("t", String(whole));
  return address.href;
}

/** Copies a link; says that it has, or the link itself where the browser does not let pages copy. */
export async function copyLink(link: string, say: (text: string) => void): Promise<void> {
  try {
    await navigator.clipboard.writeText(link);
    say("Link copied");
  } catch {
    // No secure context, or forbidden: the viewer can still read it.
    say(link);
  }
}

/** Address of the storyboard of a piece of content, or of one of its sheets. */
export function storyboardUrl(node: string, cid: string, path: string, token: string | undefined): string {
  const query = token === undefined ? "" : `?token=${encodeURIComponent(token)}`;
  return `${node.replace(/\/+$/, "")}/api/v0/storyboard/${encodeURIComponent(cid)}${path}${query}`;
}
