import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import type { Config } from "../../config/index.ts";
import { type AbortOptions, CidcastError, isCidcastError, messageOf, raceSignal } from "../../core/index.ts";
import { viewerIceServers } from "../../webrtc/index.ts";
import { ask } from "./request.ts";
import { allocate } from "./turn.ts";
import { type Check, fail, ok, type Outcome, skipped, unknown, warn } from "./types.ts";

/** Difference of two clocks that is worth a word, seconds: tokens and records carry times. */
const CLOCK_WARN_SECONDS = 5;
const CLOCK_FAIL_SECONDS = 300;
/** Longest wait for a datagram, milliseconds. */
const DATAGRAM_TIMEOUT_MS = 3000;

/** The machine and the settings. */
export const machineChecks: readonly Check[] = [
  {
    code: "CONFIG",
    run: async ({ parts }) => {
      const troubled = parts.parts().filter(({ state }) => state === "degraded" || state === "failed");
      if (troubled.length === 0) return ok("The settings are valid and every part of the node is well.");
      const told = troubled.map(({ name, state, reason }) => `${name} ${state}: ${reason ?? ""}`).join("; ");
      const action = "The log tells more; mend what it names and start the node again.";
      return troubled.some(({ required }) => required) ? fail(told, action) : warn(told, action);
    },
  },
  {
    code: "CLOCK",
    run: async ({ target, isOther, signal }) => {
      if (!isOther || target === undefined) {
        return skipped("There is no other clock to compare with.", "Name another node: --against <url>");
      }
      const before = Date.now();
      const { headers } = await ask(target, "/health", { signal });
      const there = Date.parse(headers.date ?? "");
      if (Number.isNaN(there)) return unknown("The other node does not tell its time.", "Look at its clock.");
      const seconds = Math.abs(there + 500 - (before + Date.now()) / 2) / 1000;
      const told = `The clocks differ by about ${seconds.toFixed(1)} s.`;
      if (seconds > CLOCK_FAIL_SECONDS)
        return fail(told, "Set the clocks by NTP: tokens are refused like this.");
      return seconds > CLOCK_WARN_SECONDS ? warn(told, "Set the clocks by NTP.") : ok(told);
    },
  },
];

/** One check for each host name that the settings or the request hold. */
export function nameChecks(hosts: readonly string[]): Check[] {
  const names = [...new Set(hosts)].filter(host => host !== "" && isIP(host) === 0);
  if (names.length === 0) {
    return [{ code: "DNS", run: async () => skipped("No host name is in the settings.") }];
  }
  return names.map(name => ({
    code: "DNS",
    subject: name,
    run: async ({ signal }) => {
      try {
        const found = await raceSignal(lookup(name, { all: true }), signal);
        return ok(`${name} is ${found.map(({ address }) => address).join(", ")}.`);
      } catch (error) {
        return fail(`${name} is not found: ${messageOf(error)}.`, "Correct the name, or this machine's DNS.");
      }
    },
  }));
}

/** A datagram to ourselves. */
export const udpCheck: Check = {
  code: "UDP_PORT",
  run: async ({ parts, signal }) => {
    if (!parts.config.webrtc.enabled) return skipped("WebRTC is switched off.");
    const socket = createSocket("udp4");
    try {
      const token = randomBytes(16);
      const came = Promise.withResolvers<void>();
      socket.on("message", data => {
        if (data.equals(token)) came.resolve();
      });
      socket.once("error", came.reject);
      socket.bind(0, "127.0.0.1", () => socket.send(token, socket.address().port, "127.0.0.1"));
      await raceSignal(came.promise, AbortSignal.any([signal, AbortSignal.timeout(DATAGRAM_TIMEOUT_MS)]));
      return ok("Datagrams go out and come in on this machine; PLAYBACK tells of the node's own port.");
    } catch (error) {
      return fail(`No datagram comes through: ${messageOf(error)}.`, "Look at the firewall of this machine.");
    } finally {
      socket.close();
    }
  },
};

/** One check for each STUN and TURN server. */
export function iceServerChecks(urls: readonly string[]): Check[] {
  if (urls.length === 0) {
    const meaning = "No STUN or TURN server is configured: viewers reach this node directly or not at all.";
    return [{ code: "ICE_SERVER", run: async () => skipped(meaning) }];
  }
  return urls.map(url => ({
    code: "ICE_SERVER",
    subject: url.replace(/\?.*$/, ""),
    run: async ({ parts, all, signal }) => {
      if (!all) return skipped("Only with --all.");
      const server = /^(stuns?|turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(\w+))?$/.exec(url);
      if (server === null)
        return fail("It is no URL of a STUN or TURN server.", "Correct webrtc.iceServers.");
      const [, scheme = "", host = "", port = "3478", transport = "udp"] = server;
      if (scheme.endsWith("s") || transport !== "udp") {
        return unknown(
          "Servers over TCP and TLS are not tried.",
          "Try it with a viewer that is made to relay.",
        );
      }
      const name = host.replace(/^\[|\]$/g, "");
      if (scheme === "turn") return relayedBy({ url, name, port: Number(port) }, parts.config, signal);
      const address = await binding(name, Number(port), { signal });
      return ok(`It answers, and sees this machine at ${address}.`);
    },
  }));
}

/** Asks a TURN server for a relayed address with the credentials that a viewer gets. */
async function relayedBy(
  { url, name, port }: { readonly url: string; readonly name: string; readonly port: number },
  { webrtc }: Config,
  signal: AbortSignal,
): Promise<Outcome> {
  const { turnSecret, turnTtlSeconds: ttlSeconds } = webrtc;
  const [given] = viewerIceServers({
    urls: [url],
    turnSecret,
    ttlSeconds,
    viewer: "check",
    nowMs: Date.now(),
  });
  const { address, family } = await lookup(name);
  const server = { address, family, port, username: given?.username, credential: given?.credential };
  try {
    return ok(`It relays, at ${await allocate(server, signal)} for this check; the place is given back.`);
  } catch (error) {
    if (!isCidcastError(error)) throw new CidcastError("TIMEOUT", `${name}:${port} does not answer`);
    return fail(
      `${error.message}.`,
      "webrtc.turnSecret has to be the server's secret (coturn: static-auth-secret), and both clocks right.",
    );
  }
}

/** Our address as a STUN server sees it. @see https://www.rfc-editor.org/rfc/rfc8489 */
async function binding(host: string, port: number, { signal }: AbortOptions): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    const request = Buffer.concat([Buffer.from("000100002112a442", "hex"), randomBytes(12)]);
    const came = Promise.withResolvers<Buffer>();
    socket.on("message", data => {
      if (data.length >= 20 && data.subarray(4, 20).equals(request.subarray(4, 20))) came.resolve(data);
    });
    socket.once("error", came.reject);
    socket.send(request, port, address);
    const limit = AbortSignal.timeout(DATAGRAM_TIMEOUT_MS);
    const answer = await raceSignal(
      came.promise,
      signal === undefined ? limit : AbortSignal.any([limit, signal]),
    );
    return mappedAddress(answer);
  } catch (cause) {
    throw new CidcastError("TIMEOUT", `${host}:${port} does not answer`, { cause });
  } finally {
    socket.close();
  }
}

/** XOR-MAPPED-ADDRESS of a binding response, IPv4. */
function mappedAddress(answer: Buffer): string {
  for (let at = 20; at + 4 <= answer.length; ) {
    const length = answer.readUInt16BE(at + 2);
    if (answer.readUInt16BE(at) === 0x0020 && answer[at + 5] === 1 && at + 12 <= answer.length) {
      const bytes = [0, 1, 2, 3].map(i => (answer[at + 8 + i] ?? 0) ^ ([0x21, 0x12, 0xa4, 0x42][i] ?? 0));
      return bytes.join(".");
    }
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return "an address it does not tell";
}
