import { readFile } from "node:fs/promises";
import { CidcastClient } from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { describe, expect, test } from "vitest";
import { MAX_CONTROL_STREAMS } from "../../../src/http/limits.ts";
import { ownerPrincipal } from "../../../src/core/index.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);
const PREFIX = "/api/v0/mcp";
/** What clients read in the summary of a benchmark. */
const SUMMARY_KEYS = [
  "connection_id",
  "cid",
  "duration_sec",
  "ice_gathering_time_ms",
  "ice_connection_time_ms",
  "first_frame_time_ms",
  "reconnection_count",
  "avg_rtt_ms",
  "avg_jitter_ms",
  "avg_packet_loss_percent",
  "avg_bitrate_kbps",
  "avg_frames_per_second",
  "total_frames",
  "keyframe_ratio",
  "avg_end_to_end_latency_ms",
  "p50_latency_ms",
  "p95_latency_ms",
  "throughput_bytes_per_sec",
  "throughput_mbps",
  "packet_loss_rate",
  "video_codec",
  "audio_codec",
  "avg_quality_score",
  "ice_candidates",
];

async function call(served: ServedNode, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${served.url}${PREFIX}${path}`, {
    ...(body !== undefined && {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  return (await response.json()) as Record<string, unknown>;
}

async function addSample(served: ServedNode): Promise<string> {
  const form = new FormData();
  form.set("file", new Blob([await readFile(SAMPLE)], { type: "video/mp4" }), "sample.mp4");
  const response = await fetch(`${served.url}${PREFIX}/ipfs/add`, { method: "POST", body: form });
  const added = (await response.json()) as Record<string, unknown>;
  expect(added).toMatchObject({ success: true, name: "sample.mp4", Hash: added["cid"] });
  return String(added["cid"]);
}

describe("the control plane", () => {
  test("adds a file, streams it, shows, changes and ends its viewers", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    expect(await call(served, "/webrtc/check")).toMatchObject({ success: true, webrtc_available: true });
    const cid = await addSample(served);
    const stream = await call(served, "/webrtc/stream", { cid, quality: "auto", buffer_size: 30 });
    expect(stream).toMatchObject({ success: true, url: `${served.url}/play/${cid}` });
    const open = async (): Promise<string> => {
      const init = { cid, principal: ownerPrincipal, owner: "test" };
      return (await served.node.webrtc!.createOffer(init)).session.id;
    };
    const id = await open();
    expect(await call(served, "/webrtc/connections")).toMatchObject({
      success: true,
      connections: [{ connection_id: id, id, cid, quality: "auto" }],
    });
    const { stats } = await call(served, `/webrtc/connections/${id}/stats`);
    expect(stats).toMatchObject({ cid, bytes_sent: 0, packet_loss: 0, bandwidth: 0 });
    const quality = await call(served, "/webrtc/connections/quality", { connection_id: id, quality: "auto" });
    expect(quality).toMatchObject({ connection_id: id, previous_quality: "auto" });
    expect(await call(served, "/webrtc/stats/resources")).toMatchObject({
      success: true,
      resources: { active_connections: 1 },
    });
    expect(await call(served, `/webrtc/connections/${id}/close`, {})).toMatchObject({ success: true });
    expect(await call(served, `/webrtc/connections/${id}/stats`)).toMatchObject({
      error: { code: "SESSION_NOT_FOUND" },
    });
    await open();
    expect(await call(served, "/webrtc/connections/close-all", {})).toMatchObject({ closed_count: 1 });
    await open();
    const stopped = await call(served, `/webrtc/stream/stop/${String(stream["server_id"])}`, {});
    expect(stopped).toMatchObject({ success: true, connections_closed: 1 });
    expect(served.node.webrtc?.sessions()).toEqual([]);
  });

  test("has the verbs on content and peers that its clients call", async () => {
    await using served = await serveNode();
    expect(await call(served, "/ipfs/version")).toMatchObject({ success: true, Version: expect.any(String) });
    expect(await call(served, "/ipfs/id")).toMatchObject({
      success: true,
      agent_version: expect.any(String),
    });
    const added = await call(served, "/ipfs/add/json", { content: "hello", name: "a.txt" });
    expect(added).toMatchObject({ success: true, name: "a.txt", size: 5, Hash: added["cid"] });
    const cid = String(added["cid"]);
    const cat = await fetch(`${served.url}${PREFIX}/ipfs/cat/${cid}`);
    expect(await cat.text()).toBe("hello");
    const get = await fetch(`${served.url}${PREFIX}/ipfs/get/${cid}`);
    expect(get.headers.get("content-disposition")).toMatch(/^attachment/);
    expect(await call(served, "/ipfs/pin/ls")).toMatchObject({ success: true, count: 1, pins: [{ cid }] });
    expect(await call(served, "/ipfs/pin/rm", { hash: cid })).toMatchObject({ success: true, Pins: [cid] });
    expect(await call(served, "/ipfs/pin/add", { cid })).toMatchObject({ success: true, pinned: true });
    expect(await call(served, "/ipfs/pin/add", {})).toMatchObject({ error: { code: "INVALID_REQUEST" } });
    expect(await call(served, "/ipfs/stats")).toMatchObject({ success: true, stats: { content_count: 1 } });
    expect(await call(served, "/ipfs/swarm/peers")).toMatchObject({ error: { code: "FEATURE_DISABLED" } });
  });

  test("answers dashboards, whose quality is a number", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    const cid = await addSample(served);
    const ask = async (path: string, body?: unknown): Promise<Record<string, unknown>> => {
      const response = await fetch(`${served.url}/api/v0/webrtc${path}`, {
        ...(body !== undefined && {
          method: "POST",
          body: JSON.stringify(body),
          headers: { "content-type": "application/json" },
        }),
      });
      return (await response.json()) as Record<string, unknown>;
    };
    expect(await ask("/test_connection", {})).toMatchObject({ success: true });
    expect(await ask("/stream", { cid, quality: 80 })).toMatchObject({ success: true, url: `/play/${cid}` });
    const init = { cid, principal: ownerPrincipal, owner: "test" };
    const { id } = (await served.node.webrtc!.createOffer(init)).session;
    expect(await ask("/connections")).toMatchObject({ count: 1, connections: [{ id, cid }] });
    expect(await ask(`/connection/${id}`)).toMatchObject({ connection: { id, stats: { cid } } });
    expect(await ask(`/quality/${id}`, { quality: 30 })).toMatchObject({ success: false, quality: "low" });
    expect(await ask(`/quality/${id}`, { quality: 101 })).toMatchObject({
      error: { code: "INVALID_REQUEST" },
    });
    expect(await ask(`/close/${id}`, {})).toMatchObject({ success: true, connection_id: id });
    expect(await ask(`/close/${id}`, {})).toMatchObject({ error: { code: "SESSION_NOT_FOUND" } });
    expect(await ask("/close_all", {})).toMatchObject({ success: true, connections_closed: 0 });
    expect(await ask("/operations")).toMatchObject({
      operations: [{ operation: "close_all" }, { operation: "close", connection_id: id }, {}],
    });
    expect(await ask("/tasks")).toMatchObject({ success: true, tasks: [] });
    const player = await fetch(`${served.url}/api/v0/webrtc/player?content_cid=${cid}`, {
      redirect: "manual",
    });
    expect([player.status, player.headers.get("location")]).toEqual([302, `/play/${cid}`]);
  });

  test("measures a viewer that is there, and reports", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    const cid = await addSample(served);
    expect(await call(served, "/webrtc/benchmark", { cid, duration: 1 })).toMatchObject({
      error: { code: "CONFLICT" },
    });
    const client = new CidcastClient({ url: served.url });
    const packets = Promise.withResolvers<void>();
    {
      using _stream = await client.streamContent(cid, {
        createPeerConnection: configuration =>
          new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } }),
        onPacket: () => packets.resolve(),
      });
      await packets.promise;
      for (const format of ["json", "csv", "html"]) {
        const body = { cid, duration: 1.2, format, output_dir: "/etc" };
        const answer = await call(served, "/webrtc/benchmark", body);
        expect(answer).toMatchObject({ success: true });
        const summary = answer["summary"] as Record<string, unknown>;
        expect(Object.keys(summary)).toEqual(SUMMARY_KEYS);
        expect(summary).toMatchObject({ cid, video_codec: "h264", audio_codec: "opus" });
        for (const key of ["total_frames", "throughput_bytes_per_sec", "avg_quality_score"]) {
          expect([key, Number(summary[key]) > 0]).toEqual([key, true]);
        }
        expect(Object.keys(summary["ice_candidates"] as object)).toEqual(["host", "srflx", "prflx", "relay"]);
        const report = await fetch(`${served.url}${String(answer["report_url"])}`);
        expect(report.headers.get("content-type")).toContain(format);
        expect(await report.text()).toContain("bytes_sent");
        expect(String(answer["report_path"])).toContain("benchmarks");
      }
    }
    client.close();
    expect(await call(served, `/webrtc/benchmark/bench_${crypto.randomUUID()}`)).toMatchObject({
      error: { code: "JOB_NOT_FOUND" },
    });
  });

  test("keeps a bounded number of streams", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    const cid = await addSample(served);
    for (let n = 0; n < MAX_CONTROL_STREAMS; n++) {
      expect(await call(served, "/webrtc/stream", { cid })).toMatchObject({ success: true });
    }
    expect(await call(served, "/webrtc/stream", { cid })).toMatchObject({
      success: false,
      error_type: "resource_limit",
    });
  });

  test("says so where there is no WebRTC", async () => {
    await using served = await serveNode();
    expect(await call(served, "/webrtc/check")).toMatchObject({ success: true, webrtc_available: false });
    expect(await call(served, "/webrtc/connections")).toMatchObject({ error: { code: "FEATURE_DISABLED" } });
  });
});
