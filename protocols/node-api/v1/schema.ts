import { z } from "zod";

/**
 * The node's HTTP API, `/api/v0/*`: what is sent and what is answered. See spec.md beside this file.
 * Answers are objects that may gain fields: readers pass over those they do not know.
 */

/** Longest name of a file or pin, characters. Common file systems end at 255 bytes; paths inside directories are longer. */
export const MAX_NAME_LENGTH = 255;
/** Longest path below a CID, or inside an uploaded directory, characters. */
export const MAX_PATH_LENGTH = 1024;
/** Longest text of a CID: identity CIDs hold their content, so there is no natural end. */
export const MAX_CID_LENGTH = 512;
/** Longest search text, characters. */
export const MAX_SEARCH_LENGTH = 200;
/** Most records or directory entries in one answer. */
export const MAX_PAGE_SIZE = 1000;
/** Records or directory entries in one answer when the caller does not say. */
export const DEFAULT_PAGE_SIZE = 100;
/** Longest list of notification types in one address, characters. */
export const MAX_TYPES_LENGTH = 2048;
/** Longest filter of events in one address, characters. */
export const MAX_EVENT_FILTER_LENGTH = 2048;
/** Longest multiaddr, characters. */
export const MAX_MULTIADDR_LENGTH = 1024;

const hasControlCharacter = /\p{Cc}/u;

/** Text of a CID; whether it is one is for the node to say (`INVALID_CID`). */
export const cidText = z.string().min(1).max(MAX_CID_LENGTH).describe("A CID.");
/** Name of a file, directory or pin. */
export const nameText = z
  .string()
  .max(MAX_NAME_LENGTH)
  .refine(text => !hasControlCharacter.test(text), "must not hold control characters");

/** Path of a file inside a directory: `/` between names, none of them empty, `.` or `..`. */
export const entryPath = z
  .string()
  .min(1)
  .max(MAX_PATH_LENGTH)
  .refine(text => !hasControlCharacter.test(text), "must not hold control characters")
  .refine(
    text => text.split("/").every(part => part !== "" && part !== "." && part !== ".."),
    "must be relative, without empty names, `.` or `..`",
  );

const flag = z
  .enum(["0", "1", "false", "true"])
  .transform(text => text === "1" || text === "true")
  .describe("`1` or `0`.");
const count = z.coerce.number().int().min(0);
const page = {
  limit: count.max(MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE),
  offset: count.default(0),
};

/** Query of `POST /api/v0/add`. */
export const addQuery = z.strictObject({
  name: nameText.min(1).optional().describe("Name of the file, or of the directory."),
  pin: flag.optional().describe("`0`: not pinned, so a garbage collection may take it."),
  "pin-name": nameText.optional().describe("Name of the pin."),
  directory: flag
    .optional()
    .describe("`1`: the parts of a multipart upload become one directory, also without `/` in their names."),
});

/** Query of `GET /api/v0/events`. */
export const eventsQuery = z.strictObject({
  types: z
    .string()
    .max(MAX_TYPES_LENGTH)
    .transform(text =>
      text
        .split(",")
        .map(part => part.trim())
        .filter(part => part !== ""),
    )
    .optional()
    .describe("Notification types with commas between them; all without it."),
  filter: z.string().max(MAX_EVENT_FILTER_LENGTH).optional().describe("A filter expression."),
  "last-event-id": z
    .string()
    .max(MAX_NAME_LENGTH)
    .optional()
    .describe("For clients that cannot set the header `Last-Event-ID`."),
});

/** Longest URL of a webhook, characters. */
export const MAX_WEBHOOK_URL_LENGTH = 2048;
/** Most notification types a webhook names. */
export const MAX_WEBHOOK_TYPES = 64;

/** Body of `POST /api/v0/webhooks`. */
export const webhookBody = z.strictObject({
  url: z.string().max(MAX_WEBHOOK_URL_LENGTH).describe("Where events are posted to: http or https."),
  types: z
    .array(z.string().max(MAX_NAME_LENGTH))
    .max(MAX_WEBHOOK_TYPES)
    .optional()
    .describe("Notification types; all without it."),
  filter: z.string().max(MAX_EVENT_FILTER_LENGTH).optional().describe("A filter expression."),
});
export type WebhookBody = z.input<typeof webhookBody>;
/** A webhook in answers. */
export const webhookInfo = z.object({
  id: z.string(),
  url: z.string(),
  types: z.array(z.string()),
  filter: z.string().optional(),
  createdAtMs: z.number(),
  delivered: z.number().int().describe("Events its receiver accepted since the node started."),
  givenUp: z.number().int().describe("Events that it did not take in eight attempts."),
  lastError: z.string().optional(),
});
export type WebhookInfo = z.output<typeof webhookInfo>;
/** Answer of `POST /api/v0/webhooks`: the secret is told here alone. */
export const webhookAdded = webhookInfo.extend({
  secret: z.string().describe("Key of the header `Cidcast-Signature`."),
});
export type WebhookAdded = z.output<typeof webhookAdded>;
export const webhooksResult = z.object({ webhooks: z.array(webhookInfo) });

/** One thing that was added. */
export const addedContent = z.object({
  cid: cidText,
  name: z.string().optional(),
  size: z.number().int().min(0).describe("Bytes of file content."),
  contentType: z.string(),
});
export type AddedContent = z.output<typeof addedContent>;

/** Answer of `POST /api/v0/add`. */
export const addResult = addedContent.extend({
  files: z
    .array(addedContent)
    .optional()
    .describe("Every file, where several were sent that do not form a directory."),
});
export type AddResult = z.output<typeof addResult>;

/** `/api/v0/uploads/<id>`. */
export const uploadParams = z.object({
  id: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, "is not the id of an upload")
    .describe("Id of the upload, from `Location`."),
});
const bytes = z.string().regex(/^(?:0|[1-9]\d{0,14})$/, "is not a number of bytes");
/** Header fields of resumable uploads. Names are told by the length of the whole header block. */
export const uploadHeaders = z.object({
  "upload-length": bytes.optional(),
  "upload-offset": bytes.optional(),
  "upload-metadata": z
    .string()
    .regex(/^[^ ,]+(?: [A-Za-z0-9+/=]*)?(?:, *[^ ,]+(?: [A-Za-z0-9+/=]*)?)*$/, "is not names with base64")
    .optional(),
});
/** Answer of `GET /api/v0/uploads/<id>`. */
export const uploadResult = z.object({
  id: z.string(),
  offset: z.number().int().min(0).describe("Bytes that are here."),
  size: z.number().int().min(0).describe("Bytes of the whole."),
  added: addedContent.optional().describe("What became of it, once all bytes are here."),
});
export type UploadResult = z.output<typeof uploadResult>;

/** Query of `POST /api/v0/car`. */
export const carQuery = z.strictObject({
  pin: flag
    .optional()
    .describe("`0`: the roots are not pinned, so a garbage collection may take the blocks."),
  "pin-name": nameText.optional().describe("Name of the pins."),
});
/** Answer of `POST /api/v0/car`. */
export const carResult = z.object({
  roots: z.array(cidText),
  blocks: z.number().int().min(0),
  bytes: z.number().int().min(0).describe("Bytes of the blocks."),
});
export type CarResult = z.output<typeof carResult>;

/** Something the node's owner has added or fetched. */
export const contentRecord = addedContent.extend({
  addedAtMs: z.number().describe("Milliseconds since 1970."),
  media: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("What a probe found out; absent when not probed."),
});
export type ContentRecordBody = z.output<typeof contentRecord>;

/** How records are listed: by when they were added, by name, or the largest first. */
export const listSort = z.enum(["newest", "oldest", "name", "largest"]);
export type ListSort = z.output<typeof listSort>;

/** Query of `GET /api/v0/content`. */
export const listQuery = z.strictObject({
  search: z.string().max(MAX_SEARCH_LENGTH).optional().describe("Part of the name, or start of the CID."),
  sort: listSort.optional().describe("What comes first; the newest without it."),
  ...page,
});
/** Answer of `GET /api/v0/content`. */
export const listResult = z.object({ records: z.array(contentRecord), total: z.number().int() });
export type ListResult = z.output<typeof listResult>;

/** Query of `GET /api/v0/ls/<ref>`. */
export const lsQuery = z.strictObject(page);
export const directoryEntry = z.object({
  name: z.string(),
  cid: cidText,
  type: z.enum(["file", "directory"]),
  size: z.number().int().optional(),
});
export type DirectoryEntryBody = z.output<typeof directoryEntry>;
/** Answer of `GET /api/v0/ls/<ref>`. */
export const lsResult = z.object({
  cid: cidText,
  entries: z.array(directoryEntry),
  truncated: z.boolean().describe("True when there are more entries: ask again with a larger `offset`."),
});
export type LsResult = z.output<typeof lsResult>;

/** Answer of `GET /api/v0/stat/<ref>`. */
export const statResult = z.object({
  cid: cidText,
  type: z.enum(["file", "directory"]),
  size: z.number().int(),
  localBlocks: z.number().int(),
  complete: z.boolean(),
});
export type StatResult = z.output<typeof statResult>;

/** Query of `POST` and `DELETE /api/v0/pin/<cid>`. */
export const pinQuery = z.strictObject({ name: nameText.optional() });
/** A recursive pin. */
export const pinBody = z.object({ cid: cidText, name: z.string(), pinnedAtMs: z.number() });
export type PinBody = z.output<typeof pinBody>;
/** Answer of `GET /api/v0/pins`. */
export const pinsResult = z.object({ pins: z.array(pinBody) });
export type PinsResult = z.output<typeof pinsResult>;

/** Answer of `POST /api/v0/gc`. */
export const gcResult = z.object({ removedBlocks: z.number().int(), freedBytes: z.number() });
export type GcResultBody = z.output<typeof gcResult>;

/** Answer of everything that only did something. */
export const doneResult = z.object({ ok: z.literal(true) });
export type DoneResult = z.output<typeof doneResult>;

/** Answer of `GET /api/v0/probe/<ref>`. Tracks have more fields, by kind. */
export const probeResult = z.looseObject({
  container: z.string(),
  durationSeconds: z.number(),
  playable: z.boolean(),
  notes: z.array(z.string()),
  tracks: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.enum(["video", "audio"]),
      codec: z.string(),
      verdict: z.object({ mode: z.enum(["passthrough", "transcode", "unplayable"]), reason: z.string() }),
    }),
  ),
});
export type ProbeResult = z.output<typeof probeResult>;

/** Answer of `GET /api/v0/id`. */
export const idResult = z.object({
  peerId: z.string().optional().describe("Absent when libp2p is switched off."),
  addresses: z.array(z.string()).describe("Multiaddrs the node listens on."),
  agent: z.string().describe("`cidcast/<version>`."),
  reachability: z
    .object({
      state: z
        .enum(["public", "relayed", "private", "local", "unknown"])
        .describe("Whether others can dial the node, as far as it knows."),
      nat: z.enum(["none", "endpoint-independent", "endpoint-dependent", "unknown"]),
      observed: z.array(z.string()).readonly().describe("Outer addresses that peers see."),
      relays: z
        .array(
          z.object({
            relay: z.string(),
            state: z.enum(["reserved", "trying"]),
            reason: z.string().optional(),
          }),
        )
        .readonly(),
      punches: z
        .object({ direct: z.number().int(), relayed: z.number().int() })
        .optional()
        .describe("How hole punches begun here ended; absent where they are switched off."),
    })
    .optional()
    .describe("Absent when libp2p is switched off."),
});
export type IdResult = z.output<typeof idResult>;

/** Answer of `GET /api/v0/version`. */
export const versionResult = z.object({ name: z.literal("cidcast"), version: z.string(), node: z.string() });
export type VersionResult = z.output<typeof versionResult>;

/** One part of the node and whether it works. */
export const nodePart = z.object({
  name: z.string().describe("`content`, `media`, `webrtc`, `p2p`, `http` …"),
  state: z.enum(["starting", "ready", "degraded", "disabled", "failed"]),
  reason: z.string().optional().describe("Why it is not ready, in words for people."),
  required: z.boolean().describe("False when the node goes on without it."),
});
export type NodePart = z.output<typeof nodePart>;

/** Answer of `GET /api/v0/status`, and of `GET /` to `Accept: application/json`. */
export const nodeStatus = z.object({
  name: z.literal("cidcast"),
  version: z.string(),
  peerId: z.string().optional(),
  startedAtMs: z.number(),
  parts: z.array(nodePart),
  contentCount: z.number().int(),
  peers: z.number().int(),
  sessions: z.number().int().describe("Viewers being served."),
  maxSessions: z.number().int(),
  encoder: z.string().optional().describe("What transcodes here; absent when nothing does."),
});
export type NodeStatus = z.output<typeof nodeStatus>;

/** Answer of `GET /readyz`. */
export const readyResult = z.object({ ready: z.boolean(), parts: z.array(nodePart) });
export type ReadyResult = z.output<typeof readyResult>;

const transferState = z.enum(["waiting", "running", "paused", "completed", "failed", "cancelled"]);
const rung = z.enum(["libp2p", "websocket", "http"]);
/** Most sources of one transfer. */
export const MAX_TRANSFER_SOURCES = 32;

/** Body of `POST /api/v0/transfers`. */
export const transferBody = z.strictObject({
  cid: cidText,
  from: z
    .array(z.string().min(1).max(2048))
    .min(1)
    .max(MAX_TRANSFER_SOURCES)
    .describe("PeerIds, multiaddrs, `http(s)://` of nodes and gateways, `ws(s)://` of `/ws/content`."),
  token: z
    .string()
    .max(4096)
    .optional()
    .describe("Token of the node at those addresses; kept sealed with this node's key until it is here."),
  pin: z
    .union([nameText, z.literal(false)])
    .optional()
    .describe("Name of the pin; `false`: not pinned."),
  priority: z.enum(["low", "normal", "high"]).optional(),
  contentType: z.string().max(255).optional(),
  sizeBytes: z.number().int().min(0).optional(),
  via: rung.optional().describe("This rung alone; without it, one after another."),
});
export type TransferBody = z.output<typeof transferBody>;

/** A transfer, running or over. */
export const transferResult = z.object({
  id: z.string(),
  cid: cidText,
  from: z.array(z.string()),
  state: transferState,
  protocol: z.enum(["webrtc", "websocket", "libp2p"]).describe("What suits the content best."),
  blocks: z.number().int().describe("Verified blocks that came."),
  bytes: z.number().int(),
  totalBytes: z.number().optional().describe("Bytes of all blocks, as the root says."),
  byRung: z.partialRecord(rung, z.number().int()).describe("Blocks by the rung that brought them."),
  rung: rung.optional(),
  source: z.string().optional(),
  bytesPerSecond: z.number(),
  etaSeconds: z.number().optional(),
  attempts: z.array(
    z.object({
      rung,
      source: z.string(),
      code: z.string(),
      message: z.string(),
      blocks: z.number().int(),
      bytes: z.number().int(),
      atMs: z.number(),
    }),
  ),
  code: z.string().optional(),
  message: z.string().optional(),
  createdAtMs: z.number(),
  endedAtMs: z.number().optional(),
});
export type TransferBodyResult = z.output<typeof transferResult>;

/** Body of `POST /api/v0/push`. */
export const pushBody = z.strictObject({
  cid: cidText,
  to: z.array(z.string().min(1).max(2048)).min(1).max(MAX_TRANSFER_SOURCES),
  token: z.string().max(4096).optional().describe("Token of the receiving node."),
  via: rung.optional().describe("This way alone; without it, one after another."),
});
export type PushBody = z.output<typeof pushBody>;
const attempts = transferResult.shape.attempts;
/** Answer of `POST /api/v0/push`. */
export const pushResult = z.object({
  ok: z.boolean(),
  via: z.string().optional().describe("`libp2p`, `http` or `car`: the way that led there."),
  attempts,
});
export type PushBodyResult = z.output<typeof pushResult>;

/** Query of `GET /api/v0/transfers`. */
export const transfersQuery = z.strictObject({ state: transferState.optional(), ...page });
/** Answer of `GET /api/v0/transfers`. */
export const transfersResult = z.object({ transfers: z.array(transferResult), total: z.number().int() });

/** A connected peer. */
export const peerBody = z.object({
  peerId: z.string(),
  addresses: z.array(z.string()),
  direction: z.enum(["inbound", "outbound"]),
  connectedAtMs: z.number(),
  relayed: z.boolean().optional().describe("All connections to it go through a relay."),
  reputation: z
    .object({
      score: z.number().describe("0.5 for a stranger, the higher the better."),
      success: z.number(),
      latencyMs: z.number().optional(),
      bytesPerSecond: z.number().optional(),
      bytesVerified: z.number(),
      badBlocks: z.number(),
      served: z.number().describe("CIDs it is known to have served."),
      backoffUntilMs: z.number().optional(),
      bannedUntilMs: z.number().optional(),
    })
    .optional()
    .describe("What the node has learnt by asking it; absent for a stranger."),
});
export type PeerBody = z.output<typeof peerBody>;
/** Answer of `GET /api/v0/peers`. */
export const peersResult = z.object({ peers: z.array(peerBody) });
export type PeersResult = z.output<typeof peersResult>;
/** Body of `POST /api/v0/peers/connect`. */
export const connectBody = z.strictObject({
  address: z.string().min(1).max(MAX_MULTIADDR_LENGTH).describe("A multiaddr that ends in the peer's id."),
});
/** Answer of `POST /api/v0/peers/connect`. */
export const connectResult = z.object({ peerId: z.string() });
export type ConnectResult = z.output<typeof connectResult>;

/** The body of every answer with an error status. */
export const errorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
    retryAfterSeconds: z.number().optional(),
  }),
});
