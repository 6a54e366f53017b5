import type { CheckBody, CheckReport } from "@cidcast/protocols/connectivity";
import type {
  AddResult,
  CarResult,
  ConnectResult,
  ContentRecordBody,
  DirectoryEntryBody,
  GcResultBody,
  IdResult,
  NodeStatus,
  PeerBody,
  PinBody,
  ProbeResult,
  PushBody,
  PushBodyResult,
  StatResult,
  TransferBody,
  TransferBodyResult,
  VersionResult,
  WebhookAdded,
  WebhookBody,
  WebhookInfo,
} from "@cidcast/protocols/node-api";
import type { JobBody } from "@cidcast/protocols/node-api/jobs";
import type { StallReportBody } from "@cidcast/protocols/node-api/stalls";
import type { CaptionTrackBody, CaptionsResult } from "@cidcast/protocols/node-api/media";
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
  /** The certificate that the node made itself, in PEM; undefined: the system's are trusted, and no other. */
  readonly ca?: Buffer | undefined;
  add(source: AsyncIterable<Uint8Array>, options?: ApiAddOptions): Promise<AddResult>;
  addDirectory(entries: AsyncIterable<DirectoryEntrySource>, options?: ApiAddOptions): Promise<AddResult>;
  /** Every record, or those that match. */
  list(search: string | undefined, options?: AbortOptions): AsyncIterable<ContentRecordBody>;
  ls(ref: string, options?: AbortOptions): AsyncIterable<DirectoryEntryBody>;
  stat(ref: string, options?: AbortOptions): Promise<StatResult>;
  cat(ref: string, options?: ApiReadOptions): AsyncIterable<Uint8Array>;
  /** The blocks of a DAG as a CAR, depth first. */
  exportCar(ref: string, options?: AbortOptions): AsyncIterable<Uint8Array>;
  importCar(
    source: AsyncIterable<Uint8Array>,
    options?: Pick<ApiAddOptions, "pin" | "totalBytes" | "signal">,
  ): Promise<CarResult>;
  remove(cid: string, options?: AbortOptions): Promise<void>;
  pin(cid: string, name: string | undefined, options?: AbortOptions): Promise<PinBody>;
  unpin(cid: string, name: string | undefined, options?: AbortOptions): Promise<void>;
  pins(options?: AbortOptions): Promise<readonly PinBody[]>;
  gc(options?: AbortOptions): Promise<GcResultBody>;
  probe(ref: string, options?: AbortOptions): Promise<ProbeResult>;
  captions(cid: string, options?: AbortOptions): Promise<CaptionsResult>;
  attachCaptions(
    cid: string,
    captions: string,
    options?: AbortOptions & { readonly language?: string | undefined; readonly label?: string | undefined },
  ): Promise<CaptionTrackBody>;
  detachCaptions(cid: string, captions: string, options?: AbortOptions): Promise<void>;
  /** Puts a job into the queue; gives its id. */
  prepare(cid: string, options?: AbortOptions & Pick<JobBody, "presets" | "codec">): Promise<string>;
  job(id: string, options?: AbortOptions): Promise<JobBody>;
  jobs(options?: AbortOptions): Promise<readonly JobBody[]>;
  cancelJob(id: string, options?: AbortOptions): Promise<JobBody>;
  id(options?: AbortOptions): Promise<IdResult>;
  version(options?: AbortOptions): Promise<VersionResult>;
  status(options?: AbortOptions): Promise<NodeStatus>;
  /** What holds every viewer up. */
  stalls(options?: AbortOptions): Promise<readonly StallReportBody[]>;
  /** What holds a viewer up; its id is that of the session. */
  whyStalled(id: string, options?: AbortOptions): Promise<StallReportBody>;
  check(request: CheckBody, options?: AbortOptions): Promise<CheckReport>;
  peers(options?: AbortOptions): Promise<readonly PeerBody[]>;
  connect(address: string, options?: AbortOptions): Promise<ConnectResult>;
  addWebhook(request: WebhookBody, options?: AbortOptions): Promise<WebhookAdded>;
  webhooks(options?: AbortOptions): Promise<readonly WebhookInfo[]>;
  removeWebhook(id: string, options?: AbortOptions): Promise<void>;
  beginTransfer(request: TransferBody, options?: AbortOptions): Promise<TransferBodyResult>;
  transfer(id: string, options?: AbortOptions): Promise<TransferBodyResult>;
  /** The newest transfers. */
  transfers(options?: AbortOptions): Promise<readonly TransferBodyResult[]>;
  /** Brings content from the node to another one. */
  push(request: PushBody, options?: AbortOptions): Promise<PushBodyResult>;
  changeTransfer(
    id: string,
    change: "pause" | "resume" | "cancel",
    options?: AbortOptions,
  ): Promise<TransferBodyResult>;
  /** Makes a token that lets its holder watch one piece of content. */
  playbackToken(init: PlaybackTokenInit, options?: AbortOptions): Promise<CreatedPlaybackBody>;
  /** Asks the running node to stop. */
  shutdown(options?: AbortOptions): Promise<void>;
}
