import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CidcastError, isCidcastError } from "../../core/index.ts";
import type {
  IceServer,
  CandidateInit,
  StreamingSession,
  WebRTCStreamingManager,
} from "../../webrtc/index.ts";
import { MAX_FRAGMENT_BYTES, MAX_FRAGMENT_CANDIDATES, MAX_SDP_BYTES } from "../limits.ts";
import { type Answer, ask, serve, type TestServer } from "../testing/serve.ts";
import { parseFragment } from "./fragment.ts";

type Listener = Parameters<StreamingSession["onEvent"]>[0];

/** A manager whose sessions remember what they were told. */
function fakeManager(iceServers: readonly IceServer[] = []) {
  const candidates: CandidateInit[] = [];
  const restarts: unknown[] = [];
  const asked: { cid: string; offerSdp: string; owner: string }[] = [];
  let listener: Listener | undefined;
  const close = async (): Promise<void> =>
    listener?.({ type: "state", state: "closed", positionSeconds: 0, durationSeconds: 1, loop: false });
  const session = {
    addCandidate: async (candidate: CandidateInit) => void candidates.push(candidate),
    restartIce: async (remote: unknown) => {
      restarts.push(remote);
      return { ufrag: "ours", password: "ours too", candidates: ["a=candidate:1"] };
    },
    onEvent: (given: Listener) => {
      listener = given;
      return () => undefined;
    },
    close,
  };
  const manager = {
    createAnswer: async (init: { cid: string; offerSdp: string; owner: string }) => {
      asked.push(init);
      if (!init.offerSdp.startsWith("v=0")) throw new CidcastError("INVALID_SDP", "no SDP");
      return { session: { ...session, id: `pc_${asked.length}` }, sdp: "v=0\r\nthe answer\r\n" };
    },
    iceServers: () => iceServers,
  };
  // The routes use nothing else of a manager.
  return { candidates, restarts, asked, close, webrtc: manager as unknown as WebRTCStreamingManager };
}

const OFFER = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n";
const FRAGMENT =
  "a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=candidate:1 1 UDP 1 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n";

const post = (
  server: TestServer,
  body = OFFER,
  type = "application/sdp",
  path = "/whep/bafycid",
): Promise<Answer> => ask(server, path, { method: "POST", body, headers: { "content-type": type } });
const patch = (
  server: TestServer,
  location: string,
  headers: Readonly<Record<string, string>>,
  body = FRAGMENT,
): Promise<Answer> =>
  ask(server, location, {
    method: "PATCH",
    body,
    headers: { "content-type": "application/trickle-ice-sdpfrag", ...headers },
  });
const told = ({ status, text }: Answer): unknown => [status, text === "" ? "" : JSON.parse(text).error.code];

describe("WHEP", () => {
  test("answers an offer, says where the session is, and which servers to ask", async () => {
    const fake = fakeManager([
      { urls: ["stun:stun.example:3478"] },
      { urls: ["turn:turn.example"], username: "1:pc", credential: "c2VjcmV0" },
    ]);
    await using server = await serve({}, { webrtc: fake.webrtc });
    const answer = await post(server, OFFER, "application/sdp", "/whep/bafycid/clip.mp4");
    expect([answer.status, answer.text]).toEqual([201, "v=0\r\nthe answer\r\n"]);
    expect(answer.headers).toMatchObject({
      "content-type": "application/sdp",
      location: "/whep/session/pc_1",
      "accept-patch": "application/trickle-ice-sdpfrag",
      link: '<stun:stun.example:3478>; rel="ice-server", <turn:turn.example>; rel="ice-server"; username="1:pc"; credential="c2VjcmV0"; credential-type="password"',
    });
    expect(answer.headers.etag).toMatch(/^"[^"]+"$/);
    expect(fake.asked[0]).toMatchObject({ cid: "bafycid/clip.mp4", offerSdp: OFFER });
    await post(server);
    expect(fake.asked[1]?.owner).not.toBe(fake.asked[0]?.owner);
  });

  test("takes candidates for the ICE session that If-Match names, and for no other", async () => {
    const fake = fakeManager();
    await using server = await serve({}, { webrtc: fake.webrtc });
    const { headers } = await post(server);
    const location = String(headers.location);
    const etag = String(headers.etag);
    expect((await patch(server, location, { "if-match": etag })).status).toBe(204);
    expect(fake.candidates).toEqual([
      { candidate: "candidate:1 1 UDP 1 127.0.0.1 9 typ host", sdpMid: "0" },
      { candidate: "", sdpMid: "0" },
    ]);
    expect(told(await patch(server, location, {}))).toEqual([428, "PRECONDITION_REQUIRED"]);
    expect(told(await patch(server, location, { "if-match": '"other"' }))).toEqual([
      412,
      "PRECONDITION_FAILED",
    ]);
    const other = FRAGMENT.replace("abcd", "efgh");
    expect(told(await patch(server, location, { "if-match": etag }, other))).toEqual([
      412,
      "PRECONDITION_FAILED",
    ]);
    const wrong = { "if-match": etag, "content-type": "application/sdp" };
    expect(told(await patch(server, location, wrong))).toEqual([415, "UNSUPPORTED_CONTENT_TYPE"]);
    expect(fake.candidates).toHaveLength(2);
  });

  test("restarts ICE for new credentials, which then have an entity tag of their own", async () => {
    const fake = fakeManager();
    await using server = await serve({}, { webrtc: fake.webrtc });
    const { headers } = await post(server);
    const location = String(headers.location);
    expect(told(await patch(server, location, { "if-match": "*" }))).toEqual([400, "INVALID_SDP"]);
    const renewed = FRAGMENT.replace("abcd", "efgh").replace("secret", "another");
    const answer = await patch(server, location, { "if-match": "*" }, renewed);
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/trickle-ice-sdpfrag");
    expect(answer.text).toBe(
      "a=ice-ufrag:ours\r\na=ice-pwd:ours too\r\na=candidate:1\r\na=end-of-candidates\r\n",
    );
    expect(fake.restarts).toEqual([{ ufrag: "efgh", password: "another" }]);
    expect(fake.candidates).toHaveLength(2);
    const { etag } = answer.headers;
    expect(etag).not.toBe(headers.etag);
    expect(told(await patch(server, location, { "if-match": String(headers.etag) }, renewed))).toEqual([
      412,
      "PRECONDITION_FAILED",
    ]);
    expect((await patch(server, location, { "if-match": String(etag) }, renewed)).status).toBe(204);
  });

  test("a session ends at DELETE, or by itself, and is then nowhere", async () => {
    const fake = fakeManager();
    await using server = await serve({}, { webrtc: fake.webrtc });
    const location = String((await post(server)).headers.location);
    expect((await ask(server, location, { method: "DELETE" })).status).toBe(200);
    expect(told(await ask(server, location, { method: "DELETE" }))).toEqual([404, "SESSION_NOT_FOUND"]);
    const second = String((await post(server)).headers.location);
    await fake.close();
    expect(told(await patch(server, second, { "if-match": "*" }))).toEqual([404, "SESSION_NOT_FOUND"]);
  });

  test("says what may be asked of a viewer's session, and which servers there are, before anything is", async () => {
    const fake = fakeManager([{ urls: ["stun:stun.example:3478"] }]);
    await using server = await serve({}, { webrtc: fake.webrtc });
    const options = (path: string): Promise<Answer> => ask(server, path, { method: "OPTIONS" });
    const endpoint = await options("/whep/bafycid");
    expect(endpoint.headers).toMatchObject({
      allow: "OPTIONS, POST",
      "accept-post": "application/sdp",
      link: '<stun:stun.example:3478>; rel="ice-server"',
    });
    const location = String((await post(server)).headers.location);
    const session = await options(location);
    expect([session.status, session.headers.allow]).toEqual([204, "DELETE, OPTIONS, PATCH"]);
    expect(session.headers["accept-patch"]).toBe("application/trickle-ice-sdpfrag");
    const unread = await ask(server, location);
    expect([told(unread), unread.headers.allow?.includes("PATCH")]).toEqual([
      [405, "METHOD_NOT_ALLOWED"],
      true,
    ]);
  });

  test("a session that is not there, or somebody else's, is nowhere for every method", async () => {
    await using server = await serve({}, { webrtc: fakeManager().webrtc });
    const nowhere = [404, "SESSION_NOT_FOUND"];
    expect(told(await patch(server, "/whep/session/pc_0", { "if-match": "*" }))).toEqual(nowhere);
    expect(told(await ask(server, "/whep/session/pc_0", { method: "DELETE" }))).toEqual(nowhere);
  });

  test("refuses what is no offer, and other methods, in its own words", async () => {
    await using server = await serve({}, { webrtc: fakeManager().webrtc });
    expect(told(await post(server, "{}", "application/json"))).toEqual([415, "UNSUPPORTED_CONTENT_TYPE"]);
    expect(told(await post(server, "nonsense"))).toEqual([400, "INVALID_SDP"]);
    expect(told(await post(server, "v=0".padEnd(MAX_SDP_BYTES + 1)))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    const wrong = await ask(server, "/whep/bafycid");
    expect([told(wrong), wrong.headers.allow]).toEqual([[405, "METHOD_NOT_ALLOWED"], "OPTIONS, POST"]);
    const options = await ask(server, "/whep/bafycid", { method: "OPTIONS" });
    expect([options.status, options.headers["accept-post"]]).toEqual([204, "application/sdp"]);
    await using without = await serve({}, { webrtcMissing: "it is switched off" });
    expect(told(await post(without))).toEqual([503, "FEATURE_DISABLED"]);
  });

  test("is open to pages of configured origins, which may see where their session is", async () => {
    const origin = "https://app.example";
    await using server = await serve({ corsOrigins: [origin] }, { webrtc: fakeManager().webrtc });
    const preflight = await ask(server, "/whep/bafycid", {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "PATCH" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers["access-control-allow-methods"]).toContain("PATCH");
    expect(preflight.headers["access-control-allow-headers"]).toContain("If-Match");
    const headers = { origin, "content-type": "application/sdp" };
    const answer = await ask(server, "/whep/bafycid", { method: "POST", body: OFFER, headers });
    for (const name of ["Location", "ETag", "Link", "Accept-Patch"]) {
      expect(answer.headers["access-control-expose-headers"]).toContain(name);
    }
    const evil = { ...headers, origin: "https://evil.example" };
    expect(told(await ask(server, "/whep/bafycid", { method: "POST", body: OFFER, headers: evil }))).toEqual([
      403,
      "ORIGIN_NOT_ALLOWED",
    ]);
  });
});

describe("a fragment", () => {
  test("beyond its limits is refused", async () => {
    const fake = fakeManager();
    await using server = await serve({}, { webrtc: fake.webrtc });
    const { headers } = await post(server);
    const match = { "if-match": String(headers.etag) };
    const many = "a=candidate:1\r\n".repeat(MAX_FRAGMENT_CANDIDATES + 1);
    expect(told(await patch(server, String(headers.location), match, many))).toEqual([400, "INVALID_SDP"]);
    const long = `a=x:${"x".repeat(MAX_FRAGMENT_BYTES)}`;
    expect(told(await patch(server, String(headers.location), match, long))).toEqual([
      413,
      "PAYLOAD_TOO_LARGE",
    ]);
    expect(parseFragment("a=candidate:1\r\n".repeat(MAX_FRAGMENT_CANDIDATES)).candidates).toHaveLength(64);
  });

  test("is read or refused, whatever it holds", () => {
    const line = fc.oneof(fc.string(), fc.constantFrom("m=video", "a=mid:1", "a=candidate:x"));
    const outcome = (text: string): string => {
      try {
        const { candidates } = parseFragment(text);
        return candidates.every(({ candidate }) => candidate.startsWith("candidate:")) ? "read" : "wrong";
      } catch (error) {
        return isCidcastError(error) ? error.code : "crash";
      }
    };
    fc.assert(
      fc.property(fc.array(line), lines => {
        expect(["read", "INVALID_SDP"]).toContain(outcome(lines.join("\n")));
      }),
    );
  });
});
