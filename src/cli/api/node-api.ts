import type {
  AddResult,
  ConnectResult,
  ContentRecordBody,
  DirectoryEntryBody,
  GcResultBody,
  IdResult,
  NodeStatus,
  PeerBody,
  PinBody,
  ProbeResult,
  StatResult,
  VersionResult,
} from "@cidcast/protocols/node-api";
import type { CreatedPlaybackBody } from "@cidcast/protocols/playback";
import type { DirectoryEntrySource } from "../../content/index.ts";
import type { AbortOptions } from "../../core/index.ts";

export interface ApiAddOptions extends AbortOptions {
  readonly name?: string;
  /** `false`: not pinned. */
  readonly pin?: string | false;
  /** Size where known beforehand, bytes. */
  readonly totalBytes?: number;
}

export interface ApiReadOptions extends AbortOptions {
  readonly start?: number;
  /** First byte that is not wanted. */
  readonly end?: number;
}

/** See protocols/playback/v1/spec.md; what is left out is the node's to say. */
export interface PlaybackTokenInit {
  readonly cid: string;
  readonly manifest?: string | undefined;
  readonly expiresInSeconds?: number | undefined;
  readonly maxQuality?: string | undefined;
  readonly viewerKey?: string | undefined;
}

/** What the commands ask of a node: a running one over HTTP, or the data directory itself. */
export interface NodeApi extends AsyncDisposable {
  /** Where browsers find the node; undefined when none runs. */
  readonly url: string | undefined;
  add(source: AsyncIterable<Uint8Array>, options?: ApiAddOptions): Promise<AddResult>;
  addDirectory(entries: AsyncIterable<DirectoryEntrySource>, options?: ApiAddOptions): Promise<AddResult>;
  /** Every record, or those that match. */
  list(search: string | undefined, options?: AbortOptions): AsyncIterable<ContentRecordBody>;
  ls(ref: string, options?: AbortOptions): AsyncIterable<DirectoryEntryBody>;
  stat(ref: string, options?: AbortOptions): Promise<StatResult>;
  cat(ref: string, options?: ApiReadOptions): AsyncIterable<Uint8Array>;
  remove(cid: string, options?: AbortOptions): Promise<void>;
  pin(cid: string, name: string | undefined, options?: AbortOptions): Promise<PinBody>;
  unpin(cid: string, name: string | undefined, options?: AbortOptions): Promise<void>;
  pins(options?: AbortOptions): Promise<readonly PinBody[]>;
  gc(options?: AbortOptions): Promise<GcResultBody>;
  probe(ref: string, options?: AbortOptions): Promise<ProbeResult>;
  id(options?: AbortOptions): Promise<IdResult>;
  version(options?: AbortOptions): Promise<VersionResult>;
  status(options?: AbortOptions): Promise<NodeStatus>;
  peers(options?: AbortOptions): Promise<readonly PeerBody[]>;
  connect(address: string, options?: AbortOptions): Promise<ConnectResult>;
  /** Makes a token that lets its holder watch one piece of content. */
  playbackToken(init: PlaybackTokenInit, options?: AbortOptions): Promise<CreatedPlaybackBody>;
  /** Asks the running node to stop. */
  shutdown(options?: AbortOptions): Promise<void>;
}
