/** Content of a CID never changes: 29,030,400 s (48 weeks) is what IPFS gateways say. */
const IMMUTABLE_SECONDS = 29_030_400;
/** Listings are made by this program, so they may change with it: a week, and a month while a new one is fetched. */
const LISTING_SECONDS = 604_800;
const LISTING_STALE_SECONDS = 2_678_400;

/**
 * What stored content may do in a browser: be looked at. `sandbox` gives it an origin of its own and no scripts, so a page
 * that somebody stored here cannot act as one of the node's own.
 */
export const CONTENT_CSP =
  "sandbox; default-src 'none'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:";

/** `Content-Disposition` with a name for old and new readers (RFC 6266, RFC 8187). */
export function contentDisposition(kind: "inline" | "attachment", name: string | undefined): string {
  if (name === undefined || name === "") return kind;
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** `public` lets shared caches keep it; content that needed a token is for its asker alone. */
export function cacheControl(kind: "immutable" | "listing", isPrivate: boolean): string {
  const audience = isPrivate ? "private" : "public";
  return kind === "immutable"
    ? `${audience}, max-age=${IMMUTABLE_SECONDS}, immutable`
    : `${audience}, max-age=${LISTING_SECONDS}, stale-while-revalidate=${LISTING_STALE_SECONDS}`;
}

/** The type as sent: text is UTF-8 where nothing else is said. */
export function withCharset(contentType: string): string {
  return /^text\/[^;]+$/i.test(contentType) ? `${contentType}; charset=utf-8` : contentType;
}

/** A path as it can stand in a header or link. */
export function encodePath(path: string): string {
  return path
    .split("/")
    .map(part => encodeURIComponent(part.toWellFormed()))
    .join("/");
}

/** `X-Ipfs-Path`: what was asked for. */
export function gatewayPath({ ref, slash }: { readonly ref: string; readonly slash: boolean }): string {
  return `/ipfs/${encodePath(ref)}${slash ? "/" : ""}`;
}

/** `X-Ipfs-Roots`: the CID of each name of the path. */
export function rootsHeader(roots: readonly string[]): string {
  return roots.join(",");
}
