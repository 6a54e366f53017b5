import { describe, expect, test } from "vitest";
import { parseStunServer, viewerIceServers } from "./ice-servers.ts";

const URLS = ["stun:stun.example:3478", "turn:turn.example:3478?transport=udp", "turns:turn.example"];
const AT = { viewer: "pc_1", nowMs: 1_700_000_000_500, ttlSeconds: 3600 };

describe("servers for viewers", () => {
  test("TURN comes with a name that ends and a password made from the secret", () => {
    expect(viewerIceServers({ ...AT, urls: URLS, turnSecret: "north" })).toEqual([
      { urls: ["stun:stun.example:3478"] },
      {
        urls: ["turn:turn.example:3478?transport=udp", "turns:turn.example"],
        username: "1700003600:pc_1",
        // openssl dgst -sha1 -hmac north -binary <(printf 1700003600:pc_1) | base64
        credential: "KY3Xm+TjDxyKBCEnZwYKs1QmoIE=",
      },
    ]);
  });

  test("without a secret they are told as they are, and without servers nothing is told", () => {
    expect(viewerIceServers({ ...AT, urls: URLS.slice(1), turnSecret: undefined })).toEqual([
      { urls: ["turn:turn.example:3478?transport=udp", "turns:turn.example"] },
    ]);
    expect(viewerIceServers({ ...AT, urls: [], turnSecret: "north" })).toEqual([]);
  });
});

describe("the node's own server", () => {
  test("is the first STUN server", () => {
    expect(parseStunServer(URLS)).toEqual(["stun.example", 3478]);
    expect(parseStunServer(["stun:[2001:db8::1]"])).toEqual(["2001:db8::1", 3478]);
    expect(parseStunServer(URLS.slice(1))).toBeUndefined();
    expect(() => parseStunServer(["http://stun.example"])).toThrow("is not a stun: or turn: URL");
  });
});
