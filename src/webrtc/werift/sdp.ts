import { CidcastError } from "../../core/index.ts";

const MDNS_SUFFIX = ".local";
const CANDIDATE_ADDRESS = 4;
const CANDIDATE_PROTOCOL = 2;
const CANDIDATE_PORT = 5;

/** What an SDP is about. */
export interface SdpOutline {
  readonly media: readonly { readonly kind: string; readonly rejected: boolean }[];
  readonly hasFingerprint: boolean;
  readonly hasIce: boolean;
}

/** Reads the outline of an SDP. `INVALID_SDP` when it is none. */
export function outlineSdp(sdp: string): SdpOutline {
  const lines = sdp.split(/\r?\n/);
  if (lines[0]?.trim() !== "v=0")
    throw new CidcastError("INVALID_SDP", "the text is not a session description");
  const media = lines
    .filter(line => line.startsWith("m="))
    .map(line => {
      const [kind, port] = line.slice(2).split(" ");
      return { kind: kind ?? "", rejected: port === "0" };
    });
  return {
    media,
    hasFingerprint: lines.some(line => line.startsWith("a=fingerprint:")),
    hasIce:
      lines.some(line => line.startsWith("a=ice-ufrag:")) &&
      lines.some(line => line.startsWith("a=ice-pwd:")),
  };
}

/**
 * Candidates that lead somewhere: names that only multicast DNS knows are not looked up (the viewer's own check tells its
 * address), and TCP is not served. Nor is an end of candidates passed on: the check may come after it.
 */
export function usableCandidate(candidate: string): boolean {
  const fields = candidate.trim().split(/\s+/);
  const address = fields[CANDIDATE_ADDRESS];
  if (address === undefined || address.endsWith(MDNS_SUFFIX)) return false;
  return fields[CANDIDATE_PROTOCOL]?.toLowerCase() === "udp";
}

/** Where a candidate leads, as text for a set. */
export function candidateTarget(candidate: string): string {
  const fields = candidate.trim().split(/\s+/);
  return `${fields[CANDIDATE_PROTOCOL]?.toLowerCase()} ${fields[CANDIDATE_ADDRESS]} ${fields[CANDIDATE_PORT]}`;
}

/**
 * The SDP with only candidates that are {@link usableCandidate}, each once: some viewers repeat them in every section of a
 * bundle, and the package would check each repetition. Those that stay are added to `known`.
 */
export function withUsableCandidates(sdp: string, known: Set<string>): string {
  return sdp
    .split(/\r?\n/)
    .filter(line => {
      if (line.startsWith("a=end-of-candidates")) return false;
      if (!line.startsWith("a=candidate:")) return true;
      const candidate = line.slice("a=candidate:".length);
      const target = candidateTarget(candidate);
      if (!usableCandidate(candidate) || known.has(target)) return false;
      known.add(target);
      return true;
    })
    .join("\r\n");
}
