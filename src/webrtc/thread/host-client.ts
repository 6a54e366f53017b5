import { MessageChannel, Worker } from "node:worker_threads";
import { CidcastError, type Logger, messageOf } from "../../core/index.ts";
import type { EgressKind } from "../rtp/egress/index.ts";
import { runHost } from "./host.ts";
import type {
  FromHost,
  HostInit,
  HostPort,
  HostRequest,
  HostRequests,
  SessionNote,
  ToHost,
} from "./messages.ts";

/** Longest start of a host, ms: a cold process loads the whole media path, beside whatever else the machine does. */
const START_TIMEOUT_MS = 60_000;
/** Longest wait for the end of a host that was told to stop, ms. */
const STOP_TIMEOUT_MS = 1000;

export interface HostClientInit {
  readonly host: HostInit;
  /** False: in this thread. */
  readonly thread: boolean;
  readonly log: Logger;
  readonly onNote: (note: SessionNote) => void;
  /** The thread is gone although nobody stopped it. */
  readonly onLost: (error: Error) => void;
}

/** The manager's end of a host. */
export interface HostClient {
  readonly address: { readonly host: string; readonly port: number };
  /** How packets leave at the moment. */
  readonly egress: EgressKind;
  ask<K extends keyof HostRequests>(
    type: K,
    argument: HostRequests[K]["argument"],
  ): Promise<HostRequests[K]["answer"]>;
  send(message: Exclude<ToHost, HostRequest>): void;
  stop(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts a host and waits until its port is open. Throws what kept it from starting. */
export async function startHost(init: HostClientInit): Promise<HostClient> {
  const waiting = new Map<number, Waiting>();
  const started = Promise.withResolvers<Extract<FromHost, { type: "ready" }>>();
  const ended = Promise.withResolvers<void>();
  let stopping = false;
  let gone: Error | undefined;
  let egress: EgressKind = "js";
  const fallBack = (kind: EgressKind, reason: string): void => {
    egress = kind;
    init.log.warn({ egress, reason }, "native egress failed: packets leave in plain JavaScript");
  };
  const lose = (error: Error): void => {
    gone ??= error;
    ended.resolve();
    started.reject(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    if (!stopping) init.onLost(error);
  };
  const { port, terminate } = init.thread ? thread(init, lose) : here(init, lose);
  const timer = setTimeout(() => {
    started.reject(
      new CidcastError("TIMEOUT", `the media thread did not start within ${START_TIMEOUT_MS} ms`),
    );
  }, START_TIMEOUT_MS);
  port.on("message", raw => {
    // The host that we started speaks FromHost.
    const message = raw as FromHost;
    if (message.type === "ready") started.resolve(message);
    else if (message.type === "failed")
      started.reject(new CidcastError(message.error.code, message.error.message));
    else if (message.type === "reply") reply(waiting, message);
    else if (message.type === "egress") fallBack(message.kind, message.reason);
    else init.onNote(message);
  });
  try {
    const ready = await started.promise;
    egress = ready.egress;
    const { egressReason: reason } = ready;
    if (reason !== undefined) init.log.info({ egress, reason }, "packets leave in plain JavaScript");
    if (ready.tcpReason !== undefined) init.log.warn({ reason: ready.tcpReason }, "no viewers over TCP");
    return client(ready);
  } catch (error) {
    stopping = true;
    await terminate();
    throw error;
  } finally {
    clearTimeout(timer);
  }

  function client(ready: Extract<FromHost, { type: "ready" }>): HostClient {
    let last = 0;
    const ask: HostClient["ask"] = (type, argument) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (gone !== undefined) {
        reject(gone);
      } else if (stopping && type !== "stop") {
        reject(new CidcastError("SHUTTING_DOWN", "the media thread is stopping"));
      } else {
        last++;
        waiting.set(last, { resolve, reject });
        port.postMessage({ type, request: last, argument });
      }
      // The host answers a request with the answer of its type.
      return promise as Promise<never>;
    };
    return {
      address: { host: ready.host, port: ready.port },
      get egress() {
        return egress;
      },
      ask,
      send: message => {
        if (!stopping) port.postMessage(message);
      },
      stop: async () => {
        if (stopping) return;
        stopping = true;
        const late = Promise.withResolvers<void>();
        const patience = setTimeout(late.resolve, STOP_TIMEOUT_MS);
        await Promise.race([ask("stop", {}), ended.promise, late.promise]).catch(error => {
          init.log.warn({ err: error }, "media thread failed to stop");
        });
        clearTimeout(patience);
        await terminate();
      },
    };
  }
}

function reply(waiting: Map<number, Waiting>, message: Extract<FromHost, { type: "reply" }>): void {
  const entry = waiting.get(message.request);
  waiting.delete(message.request);
  if (message.error === undefined) entry?.resolve(message.value);
  else entry?.reject(new CidcastError(message.error.code, message.error.message));
}

interface Running {
  readonly port: HostPort;
  readonly terminate: () => Promise<void>;
}

function thread(init: HostClientInit, lose: (error: Error) => void): Running {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: init.host,
    name: "media",
  });
  worker.on("error", error => lose(lost(error)));
  worker.on("exit", code => lose(lost(new Error(`exit code ${code}`))));
  const port: HostPort = {
    // A thread, not a window: there is no origin to name.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    postMessage: message => worker.postMessage(message),
    on: (event, listener) => worker.on(event, listener),
    close: () => undefined,
  };
  return { port, terminate: async () => void (await worker.terminate()) };
}

/** The same code over a channel within this thread. */
function here(init: HostClientInit, lose: (error: Error) => void): Running {
  const { port1, port2 } = new MessageChannel();
  runHost(init.host, port2).catch(error => lose(lost(error)));
  return {
    port: port1,
    terminate: () => {
      port1.close();
      return Promise.resolve();
    },
  };
}

function lost(error: unknown): CidcastError {
  return new CidcastError("FEATURE_DISABLED", `the media thread has ended: ${messageOf(error)}`, {
    cause: error,
  });
}
