import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Candidate,
  candidateFoundation,
  candidatePriority,
  serverReflexiveCandidate,
  StunProtocol,
} from "werift";
import type { MuxPort, UdpMux } from "../net/index.ts";
import type { IceCredentials } from "../peer.ts";
import { watchChecks } from "./ice-checks.ts";
import type { IceInternals } from "./internals.ts";

/** Random bytes of a ufrag: werift draws 16 bits, and with one socket for all viewers two alike take each other's checks. */
const UFRAG_BYTES = 9;
const PASSWORD_BYTES = 18;
/** Steps of the wait for the viewer's first check. Short at first: it is part of every start. */
const FAST_STEP_MS = 1;
const SLOW_STEP_MS = 20;
const FAST_STEPS = 500;
/** `ICE_COMPLETED` and `ICE_FAILED` of the package. */
const COMPLETED = 1;
const FAILED = 2;
/** Longest wait for a STUN server when we make an offer. */
const STUN_TIMEOUT_MS = 1000;

export interface IceInit {
  readonly mux: UdpMux;
  /** Host addresses to offer. */
  readonly addresses: readonly string[];
  /** Port of ICE over TCP; undefined: there is none. */
  readonly tcpPort?: number | undefined;
  /** STUN server to ask for our public address; nothing is asked without one. */
  readonly stunServer: readonly [string, number] | undefined;
}

/**
 * Puts a connection onto the shared socket: credentials of our own, candidates without looking at interfaces or asking a
 * server, and an end of the checks that is noticed at once.
 */
export function attachIce(connection: IceInternals, init: IceInit): MuxPort {
  const { ufrag, password } = newCredentials();
  connection.localUsername = ufrag;
  connection.localPassword = password;
  connection.userHistory = { [ufrag]: password };
  const port = init.mux.open(ufrag, password);
  connection.gatherCandidates = () => gather(connection, port, init);
  connection.connect = () => connectIce(connection);
  watchChecks(connection, port);
  return port;
}

/** Fresh ICE credentials of ours. */
export function newCredentials(): IceCredentials {
  return {
    ufrag: randomBytes(UFRAG_BYTES).toString("base64"),
    password: randomBytes(PASSWORD_BYTES).toString("base64"),
  };
}

async function gather(connection: IceInternals, port: MuxPort, init: IceInit): Promise<void> {
  if (connection.localCandidatesStart) return;
  connection.localCandidatesStart = true;
  const udpPort = init.mux.address.port;
  const candidates = init.addresses.map(host =>
    hostCandidate(connection, { transport: "udp", host, port: udpPort }),
  );
  const [base] = candidates;
  if (base !== undefined) {
    // One socket: further addresses are only other names of it, and need no checks of their own.
    const protocol = muxProtocol(port, init.mux);
    connection.ensureProtocol(protocol);
    protocol.localIp = base.host;
    protocol.localCandidate = base;
    connection.protocols.push(protocol);
    connection.pairLocalProtocol(protocol);
    for (const candidate of candidates) connection.appendLocalCandidate(candidate);
    const { tcpPort } = init;
    if (tcpPort !== undefined) {
      for (const host of init.addresses) {
        connection.appendLocalCandidate(hostCandidate(connection, { transport: "tcp", host, port: tcpPort }));
      }
    }
    if (init.stunServer !== undefined) await reflexive(connection, protocol, init.stunServer);
  }
  connection.localCandidatesEnd = true;
  connection.setState("completed");
}

function hostCandidate(
  connection: IceInternals,
  {
    transport,
    host,
    port,
  }: { readonly transport: "udp" | "tcp"; readonly host: string; readonly port: number },
): Candidate {
  const tcptype = transport === "tcp" ? "passive" : undefined;
  return new Candidate(
    candidateFoundation("host", transport, host),
    1,
    transport,
    candidatePriority("host", { transport, ...(tcptype !== undefined && { tcptype }) }),
    host,
    port,
    "host",
    undefined,
    undefined,
    tcptype,
    connection.generation,
    connection.localUsername,
  );
}

function muxProtocol(port: MuxPort, mux: UdpMux): StunProtocol {
  const protocol = new StunProtocol();
  const transport = {
    type: "udp",
    get closed() {
      return port.closed;
    },
    get address() {
      return mux.address;
    },
    host: mux.address.address,
    port: mux.address.port,
    addressFamily: mux.address.family === "IPv6" ? 6 : 4,
    onData: () => undefined,
    send: (datagram: Buffer, to: readonly [string, number]) => {
      port.send(datagram, to[0], to[1]);
      return Promise.resolve();
    },
    close: () => {
      port.close();
      return Promise.resolve();
    },
  };
  // StunProtocol uses of its transport only what is above; the class that it names binds a socket of its own.
  protocol.transport = transport as unknown as StunProtocol["transport"];
  const receiver = protocol as unknown as {
    datagramReceived(datagram: Buffer, from: [string, number]): void;
  };
  port.onStun = (datagram, host, from) => receiver.datagramReceived(datagram, [host, from]);
  return protocol;
}

async function reflexive(
  connection: IceInternals,
  protocol: StunProtocol,
  server: readonly [string, number],
): Promise<void> {
  const asked = serverReflexiveCandidate(protocol, [server[0], server[1]]).catch(() => undefined);
  const candidate = await Promise.race([asked, sleep(STUN_TIMEOUT_MS, undefined, { ref: false })]);
  if (candidate !== undefined) connection.appendLocalCandidate(candidate);
}

/**
 * `Connection.connect` of the package, which looks every 20 ms whether the checks are done. Throws when no pair works, or
 * none has worked within `timeoutMs`.
 */
export async function connectIce(
  connection: IceInternals,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  if (connection.remoteUsername === "" || connection.remotePassword === "") {
    throw new Error("the viewer's ICE parameters are missing");
  }
  for (const candidate of connection.remoteCandidates) connection.pairRemoteCandidate(candidate);
  connection.sortCheckList();
  connection.unfreezeInitial();
  for (const check of connection.earlyChecks) connection.checkIncoming(...check);
  connection.earlyChecks = [];
  connection.earlyChecksDone = true;
  for (let step = 0; connection.state !== "closed" && connection.schedulingChecks(); step++) {
    if (connection.checkListDone) break;
    if (performance.now() > endMs) throw new Error("no pair of ICE candidates has worked in time");
    await sleep(step < FAST_STEPS ? FAST_STEP_MS : SLOW_STEP_MS);
  }
  let result = FAILED;
  while (connection.checkList.length > 0 && result === FAILED) result = await connection.checkListState.get();
  for (const pair of connection.checkList) pair.handle?.resolve?.();
  if (result !== COMPLETED) throw new Error("no pair of ICE candidates works");
  connection.queryConsent();
  connection.setState("connected");
}
