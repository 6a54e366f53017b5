import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { p2p } from "./p2p-schema.ts";
import { httpUrl, milliseconds } from "./values.ts";

const port = z.number().int().min(0).max(65535);
const bytes = z.number().int().positive();

/** Where a node keeps its things when it is not told otherwise. */
export function defaultDataDir(): string {
  return join(homedir(), ".cidcast");
}

const content = z.strictObject({
  durability: z
    .enum(["process", "full"])
    .default("process")
    .describe(
      "`process`: an acknowledged add survives a kill; `full`: also a power cut, at an fsync per batch.",
    ),
  findTimeoutMs: milliseconds
    .default(10_000)
    .describe("Longest wait for a block that no connected peer has answered for, milliseconds."),
  gcIntervalMs: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("Time between two automatic garbage collections, milliseconds; 0: only when asked for."),
  denylists: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Lists of content that is neither served nor fetched, in the compact format of IPIP-383: files, or http(s) addresses.",
    ),
  denylistRefreshMs: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(3600 * 1000)
    .describe("How often lists are read again, milliseconds; 0: only at the start and on SIGHUP."),
});

const media = z.strictObject({
  gopStoreMaxBytes: bytes
    .default(256 * 1024 * 1024)
    .describe("Memory for encoded pictures and sound shared by all viewers, bytes."),
  transcode: z.boolean().default(true).describe("Encode what browsers cannot take as it is."),
  ffmpegPath: z
    .string()
    .min(1)
    .optional()
    .describe("An ffmpeg program to transcode with, instead of the optional node-av package."),
  maxTranscodes: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("Video transcodes at a time; 0: one less than the machine has cores, at least one."),
  trustedSigners: z
    .array(z.string().min(1).max(128))
    .default([])
    .describe(
      "Peer ids whose signed manifests are played; none: signatures need not be there, but a wrong one is refused.",
    ),
});

const prepare = z.strictObject({
  onAdd: z.boolean().default(false).describe("Make a prepared ladder of every media file that is added."),
  presets: z
    .array(z.enum(["very_low", "low", "medium", "high", "very_high"]))
    .default([])
    .describe("Sizes of a ladder where none are asked for; none: all that are not larger than the source."),
  codec: z
    .enum(["h264", "vp9", "av1"])
    .default("h264")
    .describe(
      "Codec of a ladder where none is asked for. VP9 and AV1 are smaller and slower to make; not every browser takes AV1.",
    ),
  workers: z
    .number()
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe("Encoders that prepare at a time, below all others in priority; 0: one per core."),
});

const webrtc = z.strictObject({
  enabled: z.boolean().default(true).describe("Serve media over WebRTC."),
  udpPort: port
    .default(8010)
    .describe("UDP port of all viewers, further media threads take the next ones; 0: any free ones."),
  udpPortFallback: z.boolean().default(false).describe("Take any free UDP port when that one is in use."),
  tcp: z
    .boolean()
    .default(true)
    .describe("Take viewers over TCP too, on the same port number: for networks that let no UDP through."),
  announcedAddresses: z
    .array(z.string().min(1))
    .default([])
    .describe("Addresses offered to viewers instead of those the node is bound to."),
  iceServers: z
    .array(z.string().min(1))
    .default([])
    .describe("STUN and TURN servers as URLs. None by default: nothing is asked of the outside."),
  turnSecret: z
    .string()
    .min(8, "a secret has at least 8 characters")
    .optional()
    .describe(
      "Secret shared with the TURN servers (coturn: `use-auth-secret`): viewers get credentials that end.",
    ),
  turnTtlSeconds: z
    .number()
    .int()
    .min(60)
    .default(86_400)
    .describe("How long such credentials are good, seconds: a relayed viewer plays no longer."),
  maxSessions: z
    .number()
    .int()
    .positive()
    .default(500)
    .describe("Viewers at a time; one more is told `BUSY`."),
  maxSessionsPerAddress: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe(
      "Viewers at a time from one network address; 0: any number, as behind a proxy all have the same one.",
    ),
  joinsPerSecond: z
    .number()
    .min(0)
    .max(1000)
    .default(40)
    .describe(
      "Viewers that may join per second and media thread; others wait in turn, and are told `BUSY` when too many do. 0: any number.",
    ),
  workers: z
    .number()
    .int()
    .min(0)
    .max(64)
    .default(1)
    .describe("Threads that send media; 0: the main thread does."),
  egress: z
    .enum(["auto", "js", "batched"])
    .default("auto")
    .describe(
      "How packets leave: `batched` through native code on 64-bit Linux, `js` everywhere; `auto` takes `batched` where it can be had.",
    ),
});

const transfer = z.strictObject({
  stallTimeoutMs: milliseconds
    .default(10_000)
    .describe("A source that brings no verified block for this long is left for the next, milliseconds."),
  maxRunning: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(16)
    .describe("Transfers that run at a time; more wait."),
});

const sockets = z.strictObject({
  max: z
    .number()
    .int()
    .min(1)
    .max(200_000)
    .default(10_000)
    .describe("WebSockets open at a time; an idle one takes about 10 KB. Each needs a file descriptor."),
  maxPerAddress: z
    .number()
    .int()
    .min(1)
    .max(200_000)
    .default(1500)
    .describe("WebSockets of one address: behind a proxy all viewers come from the proxy's."),
});

const events = z.strictObject({
  log: z
    .enum(["memory", "disk"])
    .default("disk")
    .describe("`disk`: subscribers that come back after a restart miss nothing."),
});

const rooms = z.strictObject({
  maxMembers: z.number().int().min(2).max(1000).default(20).describe("Members of one room."),
});

const mcp = z.strictObject({
  enabled: z.boolean().default(true).describe("Serve MCP (Model Context Protocol)."),
  plugins: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "ES modules that bring tools of your own, as paths: each exports one tool or a list of them by `default`.",
    ),
  ipfsNames: z
    .boolean()
    .default(false)
    .describe(
      "Offer tools under the names of other IPFS servers too: `ipfs_add`, `ipfs_cat` and their like.",
    ),
  oauthIssuer: httpUrl
    .optional()
    .describe(
      "Authorisation server whose access tokens `/mcp` takes too (OAuth 2.1), as its tokens name it.",
    ),
  oauthAudience: httpUrl
    .optional()
    .describe("Address at which clients reach `/mcp`, as access tokens name it. Needed with `oauthIssuer`."),
  oauthJwksUrl: httpUrl
    .optional()
    .describe("Where the authorisation server's keys are. Needed with `oauthIssuer`."),
  oauthTenantClaim: z
    .string()
    .min(1)
    .default("tenant_id")
    .describe("The claim of access tokens that names the tenant."),
  encryptionKey: z
    .string()
    .min(16, "a key has at least 16 characters")
    .optional()
    .describe(
      "Key that tenants' credentials are encrypted with; without it one is made in the data directory.",
    ),
  previousEncryptionKeys: z
    .array(z.string().min(16, "a key has at least 16 characters"))
    .default([])
    .describe("Keys used before: credentials are read with them and written with the present one."),
});

const tls = z.strictObject({
  cert: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Certificate file in PEM, with those between it and its root: HTTP and WebSockets then go over TLS.",
    ),
  key: z.string().min(1).optional().describe("Key file of the certificate in PEM."),
  selfSigned: z
    .boolean()
    .default(false)
    .describe("TLS with a certificate of its own, for development: browsers warn of it until they trust it."),
});

const tracing = z.strictObject({
  endpoint: z
    .string()
    .regex(/^https?:\/\/[^/@]+(\/[^@]*)?$/, "has to be an http or https address without a password")
    .optional()
    .describe(
      "Collector of OpenTelemetry traces (OTLP over HTTP), for instance `http://127.0.0.1:4318`. None: nothing is traced.",
    ),
  headers: z
    .array(z.string().regex(/^[\w-]+=/, "a header is written like name=value"))
    .default([])
    .describe("Headers for the collector, as `name=value`."),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe("Share of traces that are told; those that a caller began are told when it says so."),
  instance: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe("Name of this node for the collector (`service.instance.id`)."),
});

/** Every setting, with its default. Nothing else may be set. */
export const configSchema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe("Address HTTP and WebSockets listen on."),
  port: port.default(8000).describe("Port of HTTP and WebSockets; 0: any free one."),
  dataDir: z.string().min(1).default(defaultDataDir).describe("Where content, database and keys are kept."),
  token: z
    .string()
    .min(16, "a token has at least 16 characters")
    .optional()
    .describe("Secret that callers must show. Needed to listen on anything but loopback."),
  adminOpen: z
    .enum(["never", "loopback"])
    .default("never")
    .describe("`loopback`: every program on this machine may use the admin API without the admin key."),
  allowedHosts: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Host names this node answers to, beside loopback's and the address it is bound to. `.example.org` stands for that name and all below it, `*` for every name (only with a token). Also `ALLOWED_HOSTS`, `DJANGO_ALLOWED_HOSTS`.",
    ),
  corsOrigins: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Origins of other web sites that may use the API, for instance `https://app.example`. Also `CORS_ALLOWED_ORIGINS`, `DJANGO_CORS_ALLOWED_ORIGINS`.",
    ),
  databaseUrl: z
    .string()
    .regex(
      /^postgres(?:ql)?:\/\/[^/]/,
      "a PostgreSQL database is named like postgres://user:password@host/name",
    )
    .optional()
    .describe(
      "PostgreSQL database that takes the place of the SQLite file in the data directory; one node each. Also `DATABASE_URL`, where it names a PostgreSQL.",
    ),
  redisUrl: z
    .string()
    .regex(/^rediss?:\/\/[^/]/, "a Redis is named like redis://host:6379")
    .optional()
    .describe(
      "Redis through which several nodes share events and rooms; the event log is then kept there, and `events.log` has no effect. Also `REDIS_HOST`, `DJANGO_REDIS_HOST`: a host, with or without port.",
    ),
  secretKey: z
    .string()
    .min(16, "a key has at least 16 characters")
    .optional()
    .describe(
      "Key that tokens of rooms are signed with; nodes that share rooms need the same. Without it one is made in the data directory. Also `SECRET_KEY`, `DJANGO_SECRET_KEY`.",
    ),
  public: z
    .boolean()
    .default(false)
    .describe(
      "Join the public IPFS network: bootstrap peers, DHT, AutoNAT, hole punching, UPnP, mDNS. HTTP stays where it is.",
    ),
  maxUploadBytes: bytes.default(64 * 1024 ** 3).describe("Largest upload over HTTP, bytes."),
  sample: z.boolean().default(true).describe("Add the shipped sample clip on the first start."),
  drainTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(24 * 60 * 60 * 1000)
    .default(0)
    .describe(
      "How long viewers may finish when the node is told to stop, milliseconds; meanwhile it takes no new ones and `/readyz` says 503. 0: it stops at once.",
    ),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error"]).default("info").describe("What is logged."),
  logFormat: z
    .enum(["auto", "pretty", "json"])
    .default("auto")
    .describe("`auto`: pretty on a terminal, else JSON."),
  debug: z
    .boolean()
    .default(false)
    .describe(
      "Log at `debug`, and stack traces in answers on loopback. Also `DJANGO_DEBUG`, and `DEBUG` where it says true or false.",
    ),
  tls: tls.prefault({}),
  content: content.prefault({}),
  media: media.prefault({}),
  prepare: prepare.prefault({}),
  webrtc: webrtc.prefault({}),
  p2p: p2p.prefault({}),
  transfer: transfer.prefault({}),
  sockets: sockets.prefault({}),
  events: events.prefault({}),
  rooms: rooms.prefault({}),
  mcp: mcp.prefault({}),
  tracing: tracing.prefault({}),
});

/** A whole, valid configuration. */
export type Config = z.output<typeof configSchema>;
/** What may be given: every setting is optional. */
export type ConfigInput = z.input<typeof configSchema>;

/** Settings whose values are never shown. */
export const SECRET_PATHS: ReadonlySet<string> = new Set([
  "token",
  "databaseUrl",
  "redisUrl",
  "secretKey",
  "webrtc.turnSecret",
  "mcp.encryptionKey",
  "mcp.previousEncryptionKeys",
  "tracing.headers",
]);
