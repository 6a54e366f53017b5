import { expect, test } from "vitest";
import type { z } from "zod";
import * as connectivity from "./connectivity/v1/schema.ts";
import * as kitMcp from "./ipfs-kit-mcp/v1/schema.ts";
import * as kitMetadata from "./ipfs-kit-metadata/v1/schema.ts";
import * as mcp from "./mcp/v1/schema.ts";
import * as control from "./media-control/v1/schema.ts";
import * as manifest from "./media-manifest/v1/schema.ts";
import { GOP_MAX_FRAMES, encodeGop } from "./media-manifest/v1/gop.ts";
import * as nodeControl from "./node-api/v1/control.ts";
import * as nodeMedia from "./node-api/v1/media.ts";
import * as nodeApi from "./node-api/v1/schema.ts";
import * as notifications from "./notifications/v1/schema.ts";
import * as playback from "./playback/v1/schema.ts";
import { parsePlaybackToken } from "./playback/v1/token.ts";
import * as signalling from "./signalling/v1/schema.ts";
import * as tenancy from "./tenancy/v1/schema.ts";
import * as whep from "./whep/v1/schema.ts";

type Row = readonly [
  name: string,
  limit: number,
  schema: Pick<z.ZodType, "safeParse">,
  value: (n: number) => unknown,
];

const text = (n: number): string => "a".repeat(n);
const many = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value);

const link = { bytes: new Uint8Array([1]) };
const finding = { code: "OK", status: "ok", durationMs: 0, meaning: "" };
const report = { status: "ok", version: "1", startedAt: "", durationMs: 0 };
const record = { payload: "", public_key: "", signature: "", id: "a" };
const segment = { cid: link, start: 0, duration: 1, bytes: 1, gops: [[0, 0]] };
const rendition = { name: "a", bitrate: 1, bytes: 1, segments: 1, pages: [link], codec: "opus", channels: 2 };
const track = { id: "a", duration: 1, kind: "audio", renditions: [rendition] };
const storyboard = { interval: 1, width: 1, height: 1, columns: 1, rows: 1, count: 1 };
const media = { kind: manifest.MANIFEST_KIND, version: 1, source: "a", duration: 1, tracks: [track] };
const tenant = { tenant_id: "a", tool_name: "a", credential_key: "a", credential_value: "a" };
const grant = { id: "a", cid: "a", exp: 1 };
const offer = { type: "offer_request", cid: "a" };
const subscribe = { action: "subscribe" };

const ROWS: readonly Row[] = [
  [
    "MAX_FINDINGS",
    connectivity.MAX_FINDINGS,
    connectivity.checkReport,
    n => ({ ...report, findings: many(n, finding) }),
  ],
  [
    "MAX_TOKEN_LENGTH",
    kitMcp.MAX_TOKEN_LENGTH,
    kitMcp.remoteRequest,
    n => ({ action: "health", token: text(n) }),
  ],
  [
    "MAX_ID_LENGTH",
    kitMetadata.MAX_ID_LENGTH,
    kitMetadata.metadataRequest,
    n => ({ action: "query", cid: text(n) }),
  ],
  [
    "MAX_RECORDS_PER_REPLY",
    kitMetadata.MAX_RECORDS_PER_REPLY,
    kitMetadata.queryReply,
    n => ({ success: true, action: "query", cid: "a", records: many(n, record) }),
  ],
  ["MAX_ID_LENGTH", mcp.MAX_ID_LENGTH, mcp.rpcRequest, n => ({ jsonrpc: "2.0", method: text(n) })],
  [
    "MAX_COMMAND_ID_LENGTH",
    control.MAX_COMMAND_ID_LENGTH,
    control.controlCommand,
    n => ({ type: "pause", id: text(n) }),
  ],
  [
    "MAX_VIEW_SIDE",
    control.MAX_VIEW_SIDE,
    control.controlCommand,
    n => ({ type: "set_view", width: n, height: 1 }),
  ],
  [
    "MAX_TEXT_ID_LENGTH",
    control.MAX_TEXT_ID_LENGTH,
    control.controlCommand,
    n => ({ type: "captions", trackId: text(n) }),
  ],
  [
    "SEGMENT_MAX_BYTES",
    manifest.SEGMENT_MAX_BYTES,
    manifest.manifestSegment,
    n => ({ ...segment, bytes: n }),
  ],
  [
    "SEGMENT_MAX_GOPS",
    manifest.SEGMENT_MAX_GOPS,
    manifest.manifestSegment,
    n => ({ ...segment, gops: many(n, [0, 0]) }),
  ],
  [
    "PAGE_MAX_SEGMENTS",
    manifest.PAGE_MAX_SEGMENTS,
    manifest.manifestPage,
    n => ({ segments: many(n, segment) }),
  ],
  [
    "MAX_PAGES",
    manifest.MAX_PAGES,
    manifest.manifestTrack,
    n => ({ ...track, renditions: [{ ...rendition, pages: many(n, link) }] }),
  ],
  [
    "MAX_RENDITIONS",
    manifest.MAX_RENDITIONS,
    manifest.manifestTrack,
    n => ({ ...track, renditions: many(n, rendition) }),
  ],
  [
    "MAX_SHEETS",
    manifest.MAX_SHEETS,
    manifest.manifestStoryboard,
    n => ({ ...storyboard, sheets: many(n, { cid: link, bytes: 1 }) }),
  ],
  ["MAX_TRACKS", manifest.MAX_TRACKS, manifest.mediaManifest, n => ({ ...media, tracks: many(n, track) })],
  [
    "MAX_CHAPTERS",
    manifest.MAX_CHAPTERS,
    manifest.mediaManifest,
    n => ({ ...media, chapters: many(n, { start: 0, title: "" }) }),
  ],
  [
    "MAX_BENCHMARK_SECONDS",
    nodeControl.MAX_BENCHMARK_SECONDS,
    nodeControl.controlBenchmarkBody,
    n => ({ cid: "a", duration: n }),
  ],
  ["MAX_FRAME_WIDTH", nodeMedia.MAX_FRAME_WIDTH, nodeMedia.frameQuery, n => ({ width: n })],
  ["MAX_TYPES_LENGTH", nodeApi.MAX_TYPES_LENGTH, nodeApi.eventsQuery, n => ({ types: text(n) })],
  [
    "MAX_EVENT_FILTER_LENGTH",
    nodeApi.MAX_EVENT_FILTER_LENGTH,
    nodeApi.eventsQuery,
    n => ({ filter: text(n) }),
  ],
  ["MAX_WEBHOOK_URL_LENGTH", nodeApi.MAX_WEBHOOK_URL_LENGTH, nodeApi.webhookBody, n => ({ url: text(n) })],
  [
    "MAX_WEBHOOK_TYPES",
    nodeApi.MAX_WEBHOOK_TYPES,
    nodeApi.webhookBody,
    n => ({ url: "", types: many(n, "a") }),
  ],
  [
    "MAX_FILTER_CHARS",
    notifications.MAX_FILTER_CHARS,
    notifications.subscribeSchema,
    n => ({ ...subscribe, filter: text(n) }),
  ],
  [
    "MAX_FLUSH_MS",
    notifications.MAX_FLUSH_MS,
    notifications.subscribeSchema,
    n => ({ ...subscribe, flush_ms: n }),
  ],
  [
    "MAX_PLAYBACK_CID_LENGTH",
    playback.MAX_PLAYBACK_CID_LENGTH,
    playback.playbackGrant,
    n => ({ ...grant, cid: text(n) }),
  ],
  [
    "MAX_PLAYBACK_SECONDS",
    playback.MAX_PLAYBACK_SECONDS,
    playback.createPlaybackBody,
    n => ({ cid: "a", expiresInSeconds: n }),
  ],
  [
    "MAX_SHORT_TEXT",
    signalling.MAX_SHORT_TEXT,
    signalling.clientMessages.offer_request,
    n => ({ ...offer, cid: text(n) }),
  ],
  [
    "MAX_NAMED_TRACKS",
    signalling.MAX_NAMED_TRACKS,
    signalling.clientMessages.offer_request,
    n => ({ ...offer, track_ids: many(n, "a") }),
  ],
  [
    "MAX_BITRATE_BPS",
    signalling.MAX_BITRATE_BPS,
    signalling.clientMessages.offer_request,
    n => ({ ...offer, maxBitrateBps: n }),
  ],
  [
    "MAX_ATTEMPT",
    signalling.MAX_ATTEMPT,
    signalling.clientMessages.offer_request,
    n => ({ ...offer, replaces: { pc_id: "a", attempt: n } }),
  ],
  [
    "MAX_TENANT_NAME_LENGTH",
    tenancy.MAX_TENANT_NAME_LENGTH,
    tenancy.createTenantBody,
    n => ({ name: text(n) }),
  ],
  [
    "MAX_DESCRIPTION_LENGTH",
    tenancy.MAX_DESCRIPTION_LENGTH,
    tenancy.createTenantBody,
    n => ({ name: "a", description: text(n) }),
  ],
  [
    "MAX_TOKEN_DAYS",
    tenancy.MAX_TOKEN_DAYS,
    tenancy.createTokenBody,
    n => ({ tenant_id: "a", expires_in_days: n }),
  ],
  [
    "MAX_SCOPES",
    tenancy.MAX_SCOPES,
    tenancy.createTokenBody,
    n => ({ tenant_id: "a", scopes: many(n, "a") }),
  ],
  [
    "MAX_KEY_LENGTH",
    tenancy.MAX_KEY_LENGTH,
    tenancy.storeCredentialBody,
    n => ({ ...tenant, tool_name: text(n) }),
  ],
  [
    "MAX_CREDENTIAL_LENGTH",
    tenancy.MAX_CREDENTIAL_LENGTH,
    tenancy.storeCredentialBody,
    n => ({ ...tenant, credential_value: text(n) }),
  ],
  ["MAX_ID_LENGTH", tenancy.MAX_ID_LENGTH, tenancy.tenantQuery, n => ({ tenant_id: text(n) })],
  ["MAX_SESSION_ID_LENGTH", whep.MAX_SESSION_ID_LENGTH, whep.sessionParams, n => ({ id: text(n) })],
];

test.each(ROWS)("%s: %i is taken, one more is not", (_name, limit, schema, value) => {
  const at = schema.safeParse(value(limit));
  expect(at.error?.issues ?? []).toEqual([]);
  expect(schema.safeParse(value(limit + 1)).success).toBe(false);
});

test("a part to repeat has MIN_LOOP_SECONDS at least", () => {
  const loop = (seconds: number) =>
    control.controlCommand.safeParse({
      type: "set_loop",
      loop: true,
      range: { startSeconds: 0, endSeconds: seconds },
    });
  expect(loop(control.MIN_LOOP_SECONDS).success).toBe(true);
  expect(loop(control.MIN_LOOP_SECONDS - 0.01).success).toBe(false);
});

test("a GOP has GOP_MAX_FRAMES at most, none further from its start than MAX_OFFSET_US", () => {
  const frame = { data: new Uint8Array(1), offsetUs: 0, key: true };
  expect(encodeGop(many(GOP_MAX_FRAMES, frame)).length).toBeGreaterThan(GOP_MAX_FRAMES);
  expect(() => encodeGop(many(GOP_MAX_FRAMES + 1, frame))).toThrow(RangeError);
  expect(encodeGop([{ ...frame, offsetUs: 0xffff_ffff }]).length).toBeGreaterThan(0);
  expect(() => encodeGop([{ ...frame, offsetUs: 0x1_0000_0000 }])).toThrow(RangeError);
});

test("a playback token has MAX_PLAYBACK_TOKEN_LENGTH characters at most", () => {
  const token = (spaces: number): string => {
    const padded = Buffer.from(JSON.stringify(grant) + " ".repeat(spaces)).toString("base64url");
    return `${playback.PLAYBACK_TOKEN_PREFIX}${padded}.${Buffer.alloc(32).toString("base64url")}`;
  };
  const tokens = Array.from({ length: playback.MAX_PLAYBACK_TOKEN_LENGTH }, (_, n) => token(n));
  const fits = tokens.map(({ length }) => length <= playback.MAX_PLAYBACK_TOKEN_LENGTH);
  expect(new Set(fits)).toEqual(new Set([true, false]));
  expect(tokens.map(text => parsePlaybackToken(text) !== undefined)).toEqual(fits);
});
