import { CidcastError } from "../../core/index.ts";
import type { IceCredentials } from "../peer.ts";

const MDNS_SUFFIX = ".local";
const CANDIDATE_ADDRESS = 4;
const CANDIDATE_PROTOCOL = 2;
const CANDIDATE_PORT = 5;
const GENERATION = / generation \d+/;

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
    .map(line => (line.startsWith("a=candidate:") ? withoutGeneration(line) : line))
    .join("\r\n");
}

/** A candidate without the number of its ICE generation, which the package would hold against its own count of restarts. */
export function withoutGeneration(candidate: string): string {
  return candidate.replace(GENERATION, "");
}

/** The lines of candidates, each once. */
export function candidateLines(sdp: string): string[] {
  return [...new Set(sdp.split(/\r?\n/).filter(line => line.startsWith("a=candidate:")))];
}

/** ICE credentials of the first section that has some. */
export function credentialsOf(sdp: string): IceCredentials | undefined {
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1];
  const password = /^a=ice-pwd:(\S+)/m.exec(sdp)?.[1];
  return ufrag === undefined || password === undefined ? undefined : { ufrag, password };
}

/** The description with other ICE credentials, as its next version. */
export function withCredentials(sdp: string, { ufrag, password }: IceCredentials): string {
  const old = credentialsOf(sdp);
  if (old === undefined) throw new CidcastError("INTERNAL", "our description has no ICE credentials");
  return sdp
    .replaceAll(old.ufrag, ufrag)
    .replaceAll(old.password, password)
    .replace(
      /^(o=\S+ \d+ )(\d+)/m,
      (_line, head: string, version: string) => `${head}${Number(version) + 1}`,
    );
}
