import {
  type ClientMessage,
  type ClientMessageType,
  clientMessages,
  type ErrorMessage,
  isClientMessageType,
  MAX_MESSAGES_PER_SECOND,
  MAX_SIGNALLING_MESSAGE_BYTES,
  TEXTS,
} from "@cidcast/protocols/signalling";
import {
  CidcastError,
  isAbortError,
  isCidcastError,
  type Principal,
  toCidcastError,
} from "../../core/index.ts";
import type { SignallingConnection, StreamingSession } from "../types.ts";
import type { SignallingComponents } from "./handler.ts";
import { handlers } from "./handlers.ts";

export interface ConnectionInit extends SignallingComponents {
  readonly clientId: string;
  readonly principal: Principal;
  readonly address: string | undefined;
  readonly reply: (message: object) => void;
}

/** One signalling client. Its sessions are its own: nobody else's message reaches them, and they end with it. */
export class Connection implements SignallingConnection {
  readonly init: ConnectionInit;
  /** Names given to content ahead of an offer (`add_ipfs_track`), with its CID. */
  readonly namedTracks = new Map<string, string>();
  waitingOffers = 0;
  readonly #controller = new AbortController();
  readonly #listening = new Map<string, () => void>();
  #offers: Promise<unknown> = Promise.resolve();
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #inWindow = 0;

  constructor(init: ConnectionInit) {
    this.init = init;
  }

  /** Aborts when the carrier is gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get clientId(): string {
    return this.init.clientId;
  }

  reply(message: object): void {
    if (!this.signal.aborted) this.init.reply(message);
  }

  replyError(message: Omit<ErrorMessage, "type">): void {
    this.reply({ type: "error", ...message });
  }

  /** A session of this client; undefined for an unknown id and for somebody else's alike. */
  session(id: string): StreamingSession | undefined {
    return this.init.manager.session(id, this.clientId);
  }

  sessions(): StreamingSession[] {
    return this.init.manager.sessions().filter(session => session.owner === this.clientId);
  }

  /** Runs offers one after the other: clients take the next `offer` as the answer to their request. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#offers.then(work);
    this.#offers = next.catch(() => undefined);
    return next;
  }

  /** Tells the client when a session ends without its asking. */
  watch(session: StreamingSession): void {
    const stop = session.onEvent(
      event => {
        if (event.type !== "state" || event.state !== "closed") return;
        this.#forget(session.id);
        this.reply({ type: "closed", pc_id: session.id });
      },
      { positions: false },
    );
    this.#listening.set(`${session.id} end`, stop);
  }

  /** Sends the events of media control from now on: a client that never controls does not get them. */
  follow(session: StreamingSession): void {
    const key = `${session.id} control`;
    if (this.#listening.has(key)) return;
    const stop = session.onEvent(event => this.reply({ type: "control", pc_id: session.id, event }));
    this.#listening.set(key, stop);
  }

  async closeSession(session: StreamingSession): Promise<void> {
    this.#forget(session.id);
    await session.close("closed by the viewer");
  }

  async receive(text: string): Promise<void> {
    if (this.signal.aborted) return;
    if (!this.#mayTake()) return;
    if (
      text.length > MAX_SIGNALLING_MESSAGE_BYTES ||
      Buffer.byteLength(text) > MAX_SIGNALLING_MESSAGE_BYTES
    ) {
      this.replyError({ message: TEXTS.tooLarge, code: "PAYLOAD_TOO_LARGE" });
      return;
    }
    const json = parseObject(text);
    if (json === undefined) {
      this.replyError({ message: TEXTS.invalidJson, code: "INVALID_REQUEST" });
      return;
    }
    const type = json["type"];
    if (!isClientMessageType(type)) {
      const missing = type === undefined ? "None" : typeof type;
      const given = typeof type === "string" ? type.slice(0, 64) : missing;
      this.replyError({ message: TEXTS.unknownType(given), code: "INVALID_REQUEST" });
      return;
    }
    await this.#handle(type, json);
  }

  async close(reason: string): Promise<void> {
    if (this.signal.aborted) return;
    this.#controller.abort(new CidcastError("ABORTED", `the signalling connection is closed: ${reason}`));
    for (const stop of this.#listening.values()) stop();
    this.#listening.clear();
    await this.init.manager.closeOwner(this.clientId, reason);
  }

  async #handle(type: ClientMessageType, json: Record<string, unknown>): Promise<void> {
    const parsed = clientMessages[type].safeParse(json);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const field = issue?.path.join(".") ?? "";
      const id = json["pc_id"];
      this.replyError({
        message: `Invalid ${type} message: ${field} ${issue?.message ?? ""}`.trim(),
        code: "INVALID_REQUEST",
        ...(typeof id === "string" ? { pc_id: id.slice(0, 128) } : {}),
      });
      return;
    }
    try {
      // The handler belongs to the type that the message was parsed as.
      const handler = handlers[type] as (
        connection: Connection,
        message: ClientMessage,
      ) => Promise<void> | void;
      await handler(this, parsed.data);
    } catch (error) {
      this.#failed(type, error);
    }
  }

  #failed(type: ClientMessageType, error: unknown): void {
    if (this.signal.aborted || isAbortError(error)) return;
    const known = toCidcastError(error);
    const unexpected = !isCidcastError(error);
    if (unexpected) this.init.log.error({ err: error, type }, "signalling message failed");
    this.replyError({
      message: unexpected ? TEXTS.serverError(known.message) : known.message,
      code: known.code,
      ...(known.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: known.retryAfterSeconds }),
    });
  }

  #forget(id: string): void {
    for (const key of [`${id} end`, `${id} control`]) {
      this.#listening.get(key)?.();
      this.#listening.delete(key);
    }
  }

  #mayTake(): boolean {
    const now = this.init.clock.monotonicMs();
    if (now - this.#windowStartMs >= 1000) {
      this.#windowStartMs = now;
      this.#inWindow = 0;
    }
    this.#inWindow++;
    // Said once per second: an answer to each would double the flood.
    if (this.#inWindow === MAX_MESSAGES_PER_SECOND + 1) {
      this.replyError({ message: TEXTS.tooMany, code: "LIMIT_REACHED", retryAfterSeconds: 1 });
    }
    return this.#inWindow <= MAX_MESSAGES_PER_SECOND;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
