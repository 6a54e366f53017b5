import { CidcastError } from "../../core/index.ts";
import type { CandidateInit } from "../../webrtc/index.ts";
import { MAX_FRAGMENT_CANDIDATES } from "../limits.ts";

/** What an SDP fragment (RFC 8840 section 9) says. */
export interface Fragment {
  /** The ICE user name fragments that it names. */
  readonly ufrags: ReadonlySet<string>;
  /** The first of its credentials; undefined when it names none, or only in part. */
  readonly credentials: { readonly ufrag: string; readonly password: string } | undefined;
  /** In the order of the text; an empty `candidate` ends those of its `sdpMid`. */
  readonly candidates: readonly CandidateInit[];
}

/** The ICE user name fragments of a session description, or of a fragment. */
export function ufragsOf(sdp: string): ReadonlySet<string> {
  return new Set([...sdp.matchAll(/^a=ice-ufrag:(\S+)/gm)].map(([, ufrag = ""]) => ufrag));
}

/** Reads a fragment. `INVALID_SDP` for a line that no SDP has, and for more candidates than anybody needs. */
export function parseFragment(text: string): Fragment {
  const candidates: CandidateInit[] = [];
  let section = -1;
  let mid: string | undefined;
  const place = (): Omit<CandidateInit, "candidate"> =>
    mid === undefined ? { sdpMLineIndex: Math.max(0, section) } : { sdpMid: mid };
  for (const line of text.split(/\r?\n/)) {
    if (line === "") continue;
    if (!/^[a-z]=/.test(line))
      throw new CidcastError("INVALID_SDP", "The fragment has a line that is no SDP");
    if (line.startsWith("m=")) {
      section += 1;
      mid = undefined;
    } else if (line.startsWith("a=mid:")) {
      mid = line.slice("a=mid:".length).trim();
    } else if (line.startsWith("a=candidate:")) {
      candidates.push({ candidate: line.slice(2).trim(), ...place() });
    } else if (line.trim() === "a=end-of-candidates") {
      candidates.push({ candidate: "", ...place() });
    }
    if (candidates.length > MAX_FRAGMENT_CANDIDATES) {
      throw new CidcastError("INVALID_SDP", `A fragment has at most ${MAX_FRAGMENT_CANDIDATES} candidates`);
    }
  }
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(text)?.[1];
  const password = /^a=ice-pwd:(\S+)/m.exec(text)?.[1];
  const credentials = ufrag === undefined || password === undefined ? undefined : { ufrag, password };
  return { ufrags: ufragsOf(text), credentials, candidates };
}
