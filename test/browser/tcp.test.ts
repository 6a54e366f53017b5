import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";
import { startRealNode } from "./real-node.ts";

/** As in a network that lets no UDP through: neither end learns of a UDP address of the other. */
const WITHOUT_UDP = `{
  const isUdp = text => / udp /i.test(text);
  const { setRemoteDescription } = RTCPeerConnection.prototype;
  globalThis.connections = [];
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    globalThis.connections.push(this);
    const lines = sdp.split("\\r\\n").filter(line => !line.startsWith("a=candidate:") || !isUdp(line));
    return setRemoteDescription.call(this, { type, sdp: lines.join("\\r\\n") });
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    if (typeof data === "string" && data.includes('"candidate"') && isUdp(data)) return;
    send.call(this, data);
  };
}`;

const PAIR = `(async () => {
  const reports = [...(await globalThis.connections.at(-1).getStats()).values()];
  const transport = reports.find(({ type }) => type === "transport");
  const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
  return reports.find(({ id }) => id === pair?.remoteCandidateId)?.protocol;
})()`;

describe("a viewer in a network without UDP", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it.each(["js", "batched"] as const)("plays, seeks and pauses over TCP, egress %s", async egress => {
    await using real = await startRealNode({ webrtc: { egress } });
    const { page, log } = await openPage(browser);
    await withoutFileFallback(page);
    await page.addInitScript(WITHOUT_UDP);
    const player = playerOf(page);
    await page.goto(`${real.url}/play/${real.passthroughCid}`);
    await player.reaches("playing");
    await player.advances({ frames: 60, samples: 96_000 });
    expect(await page.evaluate(PAIR)).toBe("tcp");
    await player.run("player.seek(15)");
    await player.passes(16);
    await page.keyboard.press("k");
    await player.reaches("paused");
    await page.close();
    await expect.poll(() => real.sessions(), { timeout: 20_000 }).toBe(0);
    expect(log.errors).toEqual([]);
  });

  it("takes UDP where both work", async () => {
    await using real = await startRealNode();
    const { page } = await openPage(browser);
    await page.addInitScript(
      WITHOUT_UDP.replace("isUdp = text => / udp /i.test(text)", "isUdp = () => false"),
    );
    const player = playerOf(page);
    await page.goto(`${real.url}/play/${real.passthroughCid}`);
    await player.reaches("playing");
    await player.advances({ frames: 30, samples: 48_000 });
    expect(await page.evaluate(PAIR)).toBe("udp");
    await page.close();
  });
});
