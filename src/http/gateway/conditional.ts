/** True when `If-None-Match` names the tag: the client has it already (weak comparison, RFC 9110 section 13.1.2). */
export function matchesNone(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some(part => part.trim().replace(/^W\//, "") === etag);
}

/** True when a range may be served: no `If-Range`, or one with exactly this tag (strong comparison, section 13.1.5). */
export function allowsRange(ifRange: string | undefined, etag: string): boolean {
  return ifRange === undefined || ifRange.trim() === etag;
}
