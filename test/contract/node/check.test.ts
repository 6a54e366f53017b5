import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkReport } from "@cidcast/protocols/connectivity";
import { describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/testing/run.ts";
import { serveNode, type ServedNode } from "./serve-node.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"] };
const TOKEN = "a-token-for-this-test-alone";

// Whole nodes, and a clip that is played to a decoded picture.
vi.setConfig({ testTimeout: 120_000 });

async function addSample({ node }: ServedNode): Promise<string> {
  return (await node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" })).cid;
}

describe("a look at how a node is connected", () => {
  test("tries every door, each transport and protocol, and plays a clip to its first decoded picture", async () => {
    await using served = await serveNode({ p2p: P2P, webrtc: { enabled: true } });
    await addSample(served);
    const report = checkReport.parse(await served.node.checkConnectivity({ all: true }));
    const of = (code: string) => report.findings.filter(finding => finding.code === code);
    expect(report.findings.filter(({ status }) => status === "fail")).toEqual([]);
    expect(of("PLAYBACK")).toMatchObject([{ status: "ok", meaning: expect.stringContaining("1280 × 720") }]);
    expect(of("P2P_DIAL").filter(({ status }) => status === "ok").length).toBeGreaterThanOrEqual(2);
    expect(of("P2P_PROTOCOL").map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok"]);
    const routes = served.node.routes().sockets.map(({ path }) => path.replace(/(.)\/$/, "$1"));
    expect(new Set(of("WEBSOCKET").map(({ subject }) => subject))).toEqual(new Set(routes));
    for (const code of ["HTTP_PORT", "GATEWAY_RANGE", "GATEWAY_BLOCK", "MCP", "UDP_PORT", "CONFIG"]) {
      expect(of(code)).toMatchObject([{ status: "ok" }]);
    }
    // What was not tried is not well.
    for (const code of ["CLOCK", "DNS", "ICE_SERVER", "REACHABILITY", "HOLE_PUNCH"]) {
      expect(of(code)).toMatchObject([{ status: "skipped" }]);
    }
  });

  test("what is broken is told, and the report is as bad as the worst of it", async () => {
    await using served = await serveNode({
      webrtc: { enabled: true, iceServers: ["stun:127.0.0.1:9", "nonsense:127.0.0.1"] },
    });
    const report = await served.node.checkConnectivity({ all: true });
    expect(report.status).toBe("fail");
    const codes = report.findings.filter(({ status }) => status === "fail").map(({ code }) => code);
    expect(codes).toEqual(["ICE_SERVER", "ICE_SERVER"]);
    const playback = report.findings.find(({ code }) => code === "PLAYBACK");
    expect(playback).toMatchObject({ status: "unknown", action: expect.stringContaining("cidcast add") });
  });
});

describe("a look at another node from this one", () => {
  test("goes through its doors, plays its clip, dials its peer, and compares the clocks", async () => {
    await using other = await serveNode({ token: TOKEN, p2p: P2P, webrtc: { enabled: true } });
    await using served = await serveNode({ p2p: P2P });
    await addSample(other);
    const looked = await served.node.checkConnectivity({ against: other.url, token: TOKEN });
    const of = (code: string) => looked.findings.filter(finding => finding.code === code);
    expect(looked.findings.filter(({ status }) => status === "fail")).toEqual([]);
    for (const code of ["CLOCK", "HTTP_PORT", "GATEWAY_BLOCK", "PLAYBACK"]) {
      expect(of(code)).toMatchObject([{ status: "ok" }]);
    }
    expect(of("P2P_DIAL").every(({ status }) => status === "ok")).toBe(true);
    expect(JSON.stringify(looked)).not.toContain(TOKEN);
    const refused = await served.node.checkConnectivity({ against: other.url });
    expect(refused.findings.find(({ code }) => code === "HTTP_PORT")).toMatchObject({ status: "fail" });
    const [address = ""] = other.node.peer?.multiaddrs ?? [];
    const dialled = await served.node.checkConnectivity({ against: address });
    const protocols = dialled.findings.filter(({ code }) => code === "P2P_PROTOCOL");
    expect(protocols.map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok"]);
    await expect(served.node.checkConnectivity({ against: "ftp://x" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });
});

describe("cidcast check-connectivity", () => {
  test("asks the running node, ends with a code for the worst, and writes a report without names", async () => {
    await using served = await serveNode({ webrtc: { enabled: true, iceServers: ["stun:127.0.0.1:9"] } });
    await addSample(served);
    const dir = await mkdtemp(join(tmpdir(), "cidcast-check-"));
    try {
      const at = { cwd: served.dataDir, dataDir: served.dataDir };
      const file = join(dir, "report.json");
      const ended = await run(["check-connectivity", "--json"], at);
      const report = checkReport.parse(JSON.parse(ended.stdout));
      expect([ended.code, report.status]).toEqual([0, "ok"]);
      const failing = await run(["check_connectivity", "--all", "--report", file], at);
      expect(failing.code).toBe(1);
      expect(failing.stdout).toMatch(/FAIL +ICE_SERVER/);
      const written = await readFile(file, "utf8");
      expect(checkReport.parse(JSON.parse(written)).status).toBe("fail");
      expect(written).not.toMatch(/12D3Koo/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test("starts a node for it where none runs", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-check-"));
    try {
      const ended = await run(["check-connectivity", "--json"], { cwd: dataDir, dataDir });
      const { findings } = checkReport.parse(JSON.parse(ended.stdout));
      expect(findings.find(({ code }) => code === "PLAYBACK")?.status).toBe("ok");
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
