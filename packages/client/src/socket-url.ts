/** Where a node is and how it is entered. */
export interface NodeAddress {
  /** Address of the node, `http:` or `https:`; its path is kept as a prefix. */
  readonly url: string;
  /** Token, where the node wants one. Browsers cannot set headers on sockets: it goes in the query, which nodes do not log. */
  readonly token?: string | undefined;
}

/** Address of a WebSocket of a node. */
export function socketUrl(
  node: NodeAddress,
  path: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const url = new URL(node.url);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  url.pathname = url.pathname.replace(/\/+$/, "") + path;
  url.hash = "";
  for (const [name, value] of Object.entries({ ...query, token: node.token })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}
