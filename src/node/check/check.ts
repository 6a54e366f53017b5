import {
  type CheckBody,
  type CheckReport,
  type Finding,
  MAX_FINDINGS,
  worstOf,
} from "@cidcast/protocols/connectivity";
import { type AbortOptions, CidcastError, messageOf, toCidcastError } from "../../core/index.ts";
import { decodePicture } from "../../media/index.ts";
import { receiveFirstPicture } from "../../webrtc/index.ts";
import { VERSION } from "../version.ts";
import { clipOf, doorChecks, socketChecks } from "./doors.ts";
import { iceServerChecks, machineChecks, nameChecks, udpCheck } from "./machine.ts";
import { dialChecks, namesOf, peerChecks } from "./peers.ts";
import { type Check, type CheckContext, type CheckParts, fail, ok, skipped, unknown } from "./types.ts";

/** Longest that one check may take, milliseconds: a busy machine plays late. */
const CHECK_TIMEOUT_MS = 45_000;

/** Looks at every way to and from a node, one after another; secrets are in none of what it finds. */
export async function checkConnectivity(
  parts: CheckParts,
  { against, token, all = false, signal }: CheckBody & AbortOptions = {},
): Promise<CheckReport> {
  const startedMs = performance.now();
  const startedAt = new Date().toISOString();
  const multiaddr = against?.startsWith("/") === true ? against : undefined;
  const url = multiaddr === undefined ? against : undefined;
  if (url !== undefined && !/^https?:\/\/[^/@]+/.test(url)) {
    throw new CidcastError(
      "INVALID_REQUEST",
      "against: an http address without user and password, or a multiaddr",
    );
  }
  const own =
    parts.url === undefined
      ? undefined
      : { url: parts.url, token: parts.config.token, ca: parts.certificate };
  const context: CheckContext = {
    parts,
    target: url === undefined ? own : { url, token, ca: undefined },
    isOther: url !== undefined,
    multiaddr,
    all,
    signal: signal ?? new AbortController().signal,
  };
  const findings: Finding[] = [];
  for (const check of await checksOf(context)) {
    signal?.throwIfAborted();
    if (findings.length < MAX_FINDINGS) findings.push(await findingOf(check, context));
  }
  return {
    status: worstOf(findings),
    version: VERSION,
    ...(against !== undefined && { against }),
    startedAt,
    durationMs: Math.round(performance.now() - startedMs),
    findings,
  };
}

async function checksOf(context: CheckContext): Promise<Check[]> {
  const { parts, target, isOther, multiaddr } = context;
  const { config } = parts;
  const hosts = [
    ...config.webrtc.iceServers.map(url => /^\w+:([^:?]+)/.exec(url)?.[1] ?? ""),
    ...namesOf([...config.p2p.connect, ...(multiaddr === undefined ? [] : [multiaddr])]),
    ...(target !== undefined && isOther ? [new URL(target.url).hostname] : []),
  ];
  let dials: Check[];
  try {
    dials = await dialChecks(context);
  } catch (error) {
    dials = [{ code: "P2P_DIAL", run: async () => unknown(messageOf(error), "See HTTP_PORT.") }];
  }
  return [
    ...machineChecks,
    ...nameChecks(hosts),
    udpCheck,
    ...iceServerChecks(config.webrtc.iceServers),
    ...peerChecks,
    ...dials,
    ...doorChecks.filter(({ code }) => code === "HTTP_PORT"),
    ...socketChecks(isOther ? undefined : parts.sockets().map(({ path }) => path)),
    ...doorChecks.filter(({ code }) => code !== "HTTP_PORT"),
    playbackCheck,
  ];
}

const playbackCheck: Check = {
  code: "PLAYBACK",
  run: async context => {
    const { parts, target, isOther, signal } = context;
    if (target === undefined) return skipped("This node does not serve.");
    if (!isOther && !parts.config.webrtc.enabled) return skipped("WebRTC is switched off.");
    const cid = await clipOf(target, context);
    if (cid === undefined)
      return unknown("There is no clip to play.", "Add a video first: cidcast add <file>");
    const came = await receiveFirstPicture({ ...target, cid, signal });
    const told = `offer after ${round(came.offerMs)} ms, connected after ${round(came.connectedMs)} ms, a whole keyframe after ${round(came.keyframeMs)} ms`;
    try {
      const { width, height } = await decodePicture(came.picture, { signal });
      return ok(`It plays: ${told}, decoded to ${width} × ${height}.`);
    } catch (error) {
      const { code, message } = toCidcastError(error);
      if (code === "ENCODER_MISSING")
        return ok(`It plays: ${told}. Nothing here decodes it, so no picture was made.`);
      return fail(
        `Packets come (${told}), but the picture cannot be decoded: ${message}.`,
        "Play the clip in a browser; add another one.",
      );
    }
  },
};

async function findingOf({ code, subject, run }: Check, context: CheckContext): Promise<Finding> {
  const startedMs = performance.now();
  const limit = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  let outcome;
  try {
    outcome = await run({ ...context, signal: AbortSignal.any([limit, context.signal]) });
  } catch (error) {
    context.signal.throwIfAborted();
    const { message } = toCidcastError(error);
    outcome = limit.aborted
      ? fail(`It took longer than ${CHECK_TIMEOUT_MS / 1000} s.`, "Try again when the machine is less busy.")
      : fail(message, "The message says what is in the way.");
  }
  return {
    code,
    ...outcome,
    durationMs: round(performance.now() - startedMs),
    ...(subject !== undefined && { subject }),
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
