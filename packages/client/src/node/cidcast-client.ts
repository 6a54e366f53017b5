import { type PinBody, pinBody, pinsResult } from "@cidcast/protocols/node-api";
import { ClientError } from "../client-error.ts";
import { createNodeClient, errorFromResponse, type NodeClient, type RequestOptions } from "../node-client.ts";
import {
  type NotificationItem,
  type NotificationSubscription,
  type SubscribeInit,
  subscribeToNotifications,
} from "../notifications/subscription.ts";
import { type BroadcastRoom, type BroadcastRoomInit, joinBroadcastRoom } from "../rooms/broadcast-room.ts";
import { joinTargetedRoom, type TargetedRoom, type TargetedRoomInit } from "../rooms/targeted-room.ts";
import type { RtcConnection } from "../streaming/rtc.ts";
import { type ContentStream, type StreamInit, streamContent } from "../streaming/stream-content.ts";
import {
  type StreamWithMetadata,
  type StreamWithMetadataInit,
  streamWithMetadata,
} from "../streaming/stream-with-metadata.ts";
import {
  type ApiCall,
  transferContent,
  type TransferInit,
  type TransferOutcome,
} from "../transfers/transfer-content.ts";

export interface CidcastClientInit {
  /** Address of the node, for instance `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly token?: string;
}

export interface CatOptions extends RequestOptions {
  /** First byte; default 0. */
  readonly start?: number;
  /** First byte that is not wanted; default the end. */
  readonly end?: number;
}

/** A node, for programs: in browsers and in Node.js. Every method throws {@link ClientError}; branch on its code. */
export class CidcastClient implements Disposable {
  /** The node's HTTP API, method by method. */
  readonly http: NodeClient;
  readonly #init: CidcastClientInit;
  readonly #closing = new AbortController();

  constructor(init: CidcastClientInit) {
    this.#init = init;
    this.http = createNodeClient({
      node: init.url,
      ...(init.token === undefined ? {} : { token: init.token }),
    });
  }

  /** Events of the node, through lost connections. With a callback it is told; without, iterate what is returned. */
  subscribeToNotifications(
    init: SubscribeInit = {},
    callback?: (item: NotificationItem) => void,
  ): NotificationSubscription {
    return subscribeToNotifications(this.#init, { ...init, signal: this.#signal(init.signal) }, callback);
  }

  /** Enters a room in which everybody hears everybody. */
  joinRoom(init: BroadcastRoomInit = {}): Promise<BroadcastRoom> {
    return joinBroadcastRoom(this.#init, { ...init, signal: this.#signal(init.signal) });
  }

  /** Enters a room in which messages go to one peer. */
  joinSignalling(init: TargetedRoomInit): Promise<TargetedRoom> {
    return joinTargetedRoom(this.#init, { ...init, signal: this.#signal(init.signal) });
  }

  /** Streams content over WebRTC: tracks, control and figures. Ends with its own `close`, or with the client's. */
  streamContent<C extends RtcConnection = RtcConnection>(
    cid: string,
    init: StreamInit<C> = {},
  ): Promise<ContentStream<C>> {
    return streamContent(this.#init, cid, { ...init, signal: this.#signal(init.signal) });
  }

  /** Streams content and tells its metadata, both at once: it succeeds and fails as one. */
  streamWithMetadata<C extends RtcConnection = RtcConnection>(
    cid: string,
    init: StreamWithMetadataInit<C> = {},
  ): Promise<StreamWithMetadata<C>> {
    return streamWithMetadata(this.#init, cid, { ...init, signal: this.#signal(init.signal) });
  }

  /** Brings content from this node to another one, or from there to here (`direction: "pull"`), by whatever way leads there. */
  transferContent(
    cid: string,
    target: string | readonly string[],
    init: TransferInit = {},
  ): Promise<TransferOutcome> {
    const call: ApiCall = (path, request, options) => this.#json(path, request, options);
    return transferContent(call, cid, target, { ...init, signal: this.#signal(init.signal) });
  }

  /** As {@link transferContent}, from peer to peer alone. */
  transferViaLibp2p(
    cid: string,
    peer: string,
    init: Omit<TransferInit, "via"> = {},
  ): Promise<TransferOutcome> {
    return this.transferContent(cid, peer, { ...init, via: "libp2p" });
  }

  /** As {@link transferContent}, over a WebSocket alone. */
  transferViaWebSocket(
    cid: string,
    url: string,
    init: Omit<TransferInit, "via"> = {},
  ): Promise<TransferOutcome> {
    return this.transferContent(cid, url, { ...init, via: "websocket" });
  }

  /** As {@link transferContent}, over HTTP alone. */
  transferViaHttp(cid: string, url: string, init: Omit<TransferInit, "via"> = {}): Promise<TransferOutcome> {
    return this.transferContent(cid, url, { ...init, via: "http" });
  }

  add: NodeClient["add"] = (body, options) => this.http.add(body, this.#options(options));

  list: NodeClient["list"] = (query, options) => this.http.list(query, this.#options(options));

  /** The bytes of a file, or of a part of it, as they arrive. */
  async cat(ref: string, options: CatOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { start = 0, end } = options;
    const isPart = start > 0 || end !== undefined;
    const headers = new Headers();
    if (isPart) headers.set("range", `bytes=${start}-${end === undefined ? "" : end - 1}`);
    const path = ref
      .replace(/^\/ipfs\//, "")
      .split("/")
      .map(encodeURIComponent)
      .join("/");
    const response = await this.#fetch(`/ipfs/${path}`, { headers }, options);
    if (isPart && response.status !== 206) {
      await response.body?.cancel();
      throw new ClientError("RANGE_NOT_SATISFIABLE", "The node did not give the part that was asked for");
    }
    return response.body ?? new ReadableStream({ start: controller => controller.close() });
  }

  /** Pins content; what is missing is fetched first. */
  async pin(cid: string, options: RequestOptions & { readonly name?: string } = {}): Promise<PinBody> {
    return pinBody.parse(await this.#json(this.#pinPath(cid, options.name), { method: "POST" }, options));
  }

  async unpin(cid: string, options: RequestOptions & { readonly name?: string } = {}): Promise<void> {
    const response = await this.#fetch(this.#pinPath(cid, options.name), { method: "DELETE" }, options);
    await response.body?.cancel();
  }

  async pins(options: RequestOptions = {}): Promise<PinBody[]> {
    return pinsResult.parse(await this.#json("/api/v0/pins", {}, options)).pins;
  }

  /** Ends everything that was begun here: nothing of it keeps the process alive. */
  close(): void {
    this.#closing.abort(new ClientError("ABORTED", "The client was closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #pinPath(cid: string, name: string | undefined): string {
    return `/api/v0/pin/${encodeURIComponent(cid)}${name === undefined ? "" : `?name=${encodeURIComponent(name)}`}`;
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  #options<T extends RequestOptions>(options: T | undefined): T & { readonly signal: AbortSignal } {
    // A spread of a T has T's fields.
    return { ...options, signal: this.#signal(options?.signal) } as T & {
      readonly signal: AbortSignal;
    };
  }

  async #json(path: string, request: RequestInit, options: RequestOptions): Promise<unknown> {
    return (await this.#fetch(path, request, options)).json();
  }

  async #fetch(path: string, request: RequestInit, options: RequestOptions): Promise<Response> {
    const { token } = this.#init;
    const headers = new Headers(request.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const signal = this.#signal(options.signal);
    let response: Response;
    try {
      response = await fetch(this.http.url(path), { ...request, headers, signal });
    } catch (cause) {
      if (signal.aborted) throw new ClientError("ABORTED", "The request was ended", { cause });
      throw new ClientError("NODE_UNREACHABLE", `No node answers at ${this.#init.url}`, { cause });
    }
    if (!response.ok) throw errorFromResponse(response.status, await response.text());
    return response;
  }
}
