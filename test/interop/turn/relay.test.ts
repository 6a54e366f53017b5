import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { playerOf, withoutFileFallback } from "../../browser/player-handle.ts";
import { startRealNode } from "../../browser/real-node.ts";
import { findDebianProgram } from "../debian.ts";
import { Coturn } from "./coturn.ts";

const SECRET = "a-secret-of-two";
/** A viewer that can reach nothing but its TURN server: as behind a firewall that lets no media through. */
const RELAY_ONLY = `{
  globalThis.peerConnections = [];
  const relay = given => ({ ...given, iceTransportPolicy: "relay" });
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(given) { super(relay(given)); globalThis.peerConnections.push(this); }
    setConfiguration(given) { super.setConfiguration(relay(given)); }
  };
}`;

describe("a viewer behind a firewall", () => {
  const found = findDebianProgram("coturn", "turnserver");
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test.for(["udp", "tcp"])(
    "plays through coturn over %s, with credentials made for it",
    async (transport, context) => {
      if (typeof found === "string") {
        context.skip(found);
        return;
      }
      await using coturn = await Coturn.start(found, SECRET);
      await using real = await startRealNode({
        webrtc: {
          iceServers: [`turn:127.0.0.1:${coturn.port}?transport=${transport}`],
          turnSecret: SECRET,
          udpPort: 0,
        },
      });
      const { page } = await openPage(browser);
      await withoutFileFallback(page);
      await page.addInitScript(RELAY_ONLY);
      await page.goto(`${real.url}/play/${real.passthroughCid}`);
      const player = playerOf(page);
      await player.reaches("playing");
      await player.advances({ frames: 45, samples: 48_000 });
      const pair = await page.evaluate<{ candidateType: string; relayProtocol: string }>(`(async () => {
      const stats = await peerConnections.at(-1).getStats();
      const all = [...stats.values()];
      const { localCandidateId } = all.find(({ type, nominated, state }) =>
        type === "candidate-pair" && nominated && state === "succeeded");
      return stats.get(localCandidateId);
    })()`);
      expect(pair).toMatchObject({ candidateType: "relay", relayProtocol: transport });
      await page.close();
    },
  );

  test("is foreseen: a check gets a place at the server and gives it back, or is told what is wrong", async context => {
    if (typeof found === "string") {
      context.skip(found);
      return;
    }
    await using coturn = await Coturn.start(found, SECRET);
    const urls = [`turn:127.0.0.1:${coturn.port}`];
    const look = async (turnSecret: string) => {
      await using real = await startRealNode({ webrtc: { iceServers: urls, turnSecret, udpPort: 0 } });
      const { findings } = await real.node.checkConnectivity({ all: true });
      return findings.find(({ code }) => code === "ICE_SERVER");
    };
    expect(await look(SECRET)).toMatchObject({
      status: "ok",
      meaning: expect.stringContaining("127.0.0.1:"),
    });
    expect(await look("another-secret")).toMatchObject({
      status: "fail",
      meaning: expect.stringContaining("401"),
    });
  });

  test("does not get through with another secret", async context => {
    if (typeof found === "string") {
      context.skip(found);
      return;
    }
    await using coturn = await Coturn.start(found, "another-secret");
    await using real = await startRealNode({
      webrtc: { iceServers: [`turn:127.0.0.1:${coturn.port}`], turnSecret: SECRET, udpPort: 0 },
    });
    const { page } = await openPage(browser);
    await page.addInitScript(RELAY_ONLY);
    await page.goto(`${real.url}/play/${real.passthroughCid}`);
    // The file itself is played instead, over HTTP.
    await playerOf(page).reaches("playing");
    expect(await page.evaluate("peerConnections.every(pc => pc.connectionState !== 'connected')")).toBe(true);
    await page.close();
  });
});
