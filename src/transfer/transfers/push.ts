import { z } from "zod";
import {
  type AbortOptions,
  CidcastError,
  type Clock,
  messageOf,
  raceSignal,
  toCidcastError,
} from "../../core/index.ts";
import { OPEN_TIMEOUT_MS, PROGRESS_INTERVAL_MS, STALL_TIMEOUT_MS } from "../limits.ts";
import { nameOf, sourcesOf } from "./target.ts";
import type { Rung, TransferAttempt, TransferSource } from "./types.ts";

/** How the receiver tells of its transfer, over libp2p and HTTP. */
const remoteState = z.looseObject({
  state: z.enum(["waiting", "running", "paused", "completed", "failed", "cancelled"]),
  bytes: z.number(),
  code: z.string().optional(),
  message: z.string().optional(),
});
type RemoteState = z.output<typeof remoteState>;

export interface PushRequest extends AbortOptions {
  readonly cid: string;
  /** As the sources of a pull. */
  readonly to: readonly string[];
  /** Token of the receiving node. */
  readonly token?: string | undefined;
  /** This way alone: the receiver is asked over libp2p, or by its API to fetch over a WebSocket or HTTP. */
  readonly via?: Rung | undefined;
}

export interface PushComponents {
  /** Asks a peer to fetch from us; gives its result. Undefined: libp2p is switched off. */
  readonly askPeer:
    | ((
        peer: { readonly peerId: string; readonly addresses?: readonly string[] },
        request: { readonly cid: string; readonly token?: string | undefined },
        options: AbortOptions,
      ) => Promise<Readonly<Record<string, unknown>>>)
    | undefined;
  /** Where the receiver can fetch from: our multiaddrs. */
  readonly ownSources: () => readonly string[];
  /** Address of our doors; undefined: they are not open, or ask for a token that is not the receiver's to know. */
  readonly ownUrl: () => string | undefined;
  /** The DAG as a CAR. */
  readonly car: (cid: string, options: AbortOptions) => AsyncIterable<Uint8Array>;
  readonly clock: Clock;
}

export type PushResult =
  | { readonly ok: true; readonly via: string; readonly attempts: readonly TransferAttempt[] }
  | { readonly ok: false; readonly attempts: readonly TransferAttempt[] };

/**
 * Brings content to another node: the receiver is asked to fetch it, so that it verifies, resumes and keeps the record; one
 * that cannot reach us is sent a CAR. Resolves with every cause when no way led there.
 */
export async function pushContent(request: PushRequest, components: PushComponents): Promise<PushResult> {
  const { cid, to, token, via: only, signal } = request;
  const attempts: TransferAttempt[] = [];
  // A WebSocket carries requests of the receiver alone: its node is reached at the same host by HTTP.
  const targets = to
    .flatMap(text => sourcesOf(text, token))
    .filter(
      ({ rung }) =>
        rung !== "websocket" && (only === undefined || (rung === "libp2p") === (only === "libp2p")),
    );
  if (targets.length === 0)
    throw new CidcastError("INVALID_REQUEST", "to: no PeerId, multiaddr or http address");
  for (const target of targets) {
    for (const [via, push] of waysTo(target, { cid, token, via: only, signal }, components)) {
      signal?.throwIfAborted();
      try {
        await push();
        return { ok: true, via, attempts };
      } catch (thrown) {
        signal?.throwIfAborted();
        const { code, message } = toCidcastError(thrown);
        const atMs = components.clock.now();
        attempts.push({
          rung: target.rung,
          source: `${via} ${nameOf(target)}`,
          code,
          message,
          blocks: 0,
          bytes: 0,
          atMs,
        });
      }
    }
  }
  return { ok: false, attempts };
}

function waysTo(
  target: TransferSource,
  { cid, token, via, signal }: Pick<PushRequest, "cid" | "token" | "via" | "signal">,
  components: PushComponents,
): [string, () => Promise<void>][] {
  if (target.rung === "libp2p") {
    const ask = async (): Promise<unknown> => {
      if (components.askPeer === undefined) {
        throw new CidcastError("FEATURE_DISABLED", "libp2p is switched off or could not start");
      }
      return components.askPeer(target, { cid, token }, { signal });
    };
    return [["libp2p", () => watch(ask, ask, { signal }, components.clock)]];
  }
  const { url } = target;
  const doors = components.ownUrl();
  const own = via === undefined ? components.ownSources() : doors === undefined ? [] : [doors];
  const begin = (): Promise<unknown> =>
    ask(`${url}/api/v0/transfers`, { token, signal, body: JSON.stringify({ cid, from: own, via }) });
  const look = async (begun: RemoteState): Promise<unknown> =>
    ask(`${url}/api/v0/transfers/${encodeURIComponent(String(begun["id"]))}`, { token, signal });
  const fetchOurs: [string, () => Promise<void>] = [
    "http",
    () => watch(begin, look, { signal }, components.clock),
  ];
  const upload = async (): Promise<void> => {
    // Refused in the middle of a body, one would learn no reason.
    await ask(`${url}/api/v0/version`, { token, signal });
    await ask(`${url}/api/v0/car`, { token, signal, stream: components.car(cid, { signal }) });
  };
  if (via === "websocket") return [["websocket", fetchOurs[1]]];
  return own.length === 0 ? [["car", upload]] : [fetchOurs, ["car", upload]];
}

/** Looks at the receiver's transfer until it is over; one that brings nothing for a while is given up. */
async function watch(
  begin: () => Promise<unknown>,
  look: (begun: RemoteState) => Promise<unknown>,
  { signal }: AbortOptions,
  clock: Clock,
): Promise<void> {
  const begun = stateOf(await begin());
  let changedMs = clock.monotonicMs();
  for (let state = begun; ; ) {
    if (state.state === "completed") return;
    if (state.state === "failed" || state.state === "cancelled") {
      throw new CidcastError("PEER_UNREACHABLE", `The receiver ended it: ${state.message ?? state.state}`);
    }
    if (clock.monotonicMs() - changedMs > 2 * STALL_TIMEOUT_MS) {
      throw new CidcastError("TIMEOUT", "The receiver does not come on");
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(PROGRESS_INTERVAL_MS, resolve);
    try {
      await raceSignal(promise, signal);
    } finally {
      cancel();
    }
    const next = stateOf(await look(begun));
    if (next.bytes !== state.bytes || next.state !== state.state) changedMs = clock.monotonicMs();
    state = next;
  }
}

function stateOf(answer: unknown): RemoteState {
  const parsed = remoteState.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CidcastError("PROTOCOL_UNSUPPORTED", "The receiver's answer cannot be read", {
    cause: parsed.error,
  });
}

async function ask(
  url: string,
  init: AbortOptions & {
    readonly token: string | undefined;
    readonly body?: string;
    readonly stream?: AsyncIterable<Uint8Array>;
  },
): Promise<unknown> {
  const { token, body, stream, signal } = init;
  const limits = [signal, stream === undefined ? AbortSignal.timeout(OPEN_TIMEOUT_MS) : undefined];
  let response: Response;
  try {
    response = await fetch(url, {
      signal: AbortSignal.any(limits.filter(given => given !== undefined)),
      redirect: "error",
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(stream !== undefined && { "content-type": "application/vnd.ipld.car" }),
      },
      ...(body !== undefined && { method: "POST", body }),
      ...(stream !== undefined && {
        method: "POST",
        body: ReadableStream.from(stream),
        duplex: "half" as const,
      }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new CidcastError("PEER_UNREACHABLE", `${url}: ${messageOf(cause)}`, { cause: error });
  }
  if (!response.ok) {
    await response.body?.cancel();
    const code =
      response.status === 401 ? "UNAUTHENTICATED" : response.status === 403 ? "FORBIDDEN" : undefined;
    throw new CidcastError(code ?? "PEER_UNREACHABLE", `${url} answers with status ${response.status}`);
  }
  return response.json();
}
