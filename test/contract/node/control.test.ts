import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { MAX_CONTROL_STREAMS } from "../../../src/http/limits.ts";
import { ownerPrincipal } from "../../../src/core/index.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);
const PREFIX = "/api/v0/mcp";

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
