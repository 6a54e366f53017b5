import { randomUUID } from "node:crypto";
import { sessionParams } from "@cidcast/protocols/whep";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { CidcastError, type Resource } from "../../core/index.ts";
import type { IceServer, WebRTCStreamingManager } from "../../webrtc/index.ts";
import type { ApiComponents } from "../api/types.ts";
import { findWithin, refParams } from "../gateway/ref.ts";
import { MAX_FRAGMENT_BYTES, MAX_SDP_BYTES } from "../limits.ts";
import { textBody } from "../routing/body.ts";
import { route } from "../routing/route.ts";
import { type Fragment, parseFragment } from "./fragment.ts";
import { createViewers, newEtag, type Viewer, type Viewers } from "./viewers.ts";

const SDP = "application/sdp";
const FRAGMENT = "application/trickle-ice-sdpfrag";
/** Where viewers' sessions are. No CID is called so. */
const SESSIONS = "/whep/session";
/** How much longer than any content a media file may take to be found: some have their index at the end. */
const OPEN_TIMEOUT_FACTOR = 4;

/** WHEP: a player posts its offer to `/whep/<cid>` and gets the answer. See protocols/whep/v1/spec.md. */
export async function whepRoutes(app: FastifyInstance, components: ApiComponents): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const viewers = createViewers();
  endpointRoutes(app, components, viewers);
  sessionRoutes(app, components, viewers);
}

function endpointRoutes(app: FastifyInstance, components: ApiComponents, viewers: Viewers): void {
  const { limits } = components;
  route(app, {
    method: "POST",
    url: "/whep/*",
    action: "media:play",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    summary: "WHEP: takes a player's offer (application/sdp), answers with the session's",
    handler: async ({ params: ref, principal, signal, request, reply }) => {
      const manager = managerOf(components);
      requireType(request, SDP);
      const offerSdp = await textBody(request.raw, { maxBytes: MAX_SDP_BYTES, limits });
      const viewer = await findWithin(
        limits.findTimeoutMs * OPEN_TIMEOUT_FACTOR,
        ref,
        { signal },
        async inner => {
          const { session, sdp } = await manager.createAnswer({
            cid: ref.ref,
            offerSdp,
            principal,
            owner: `whep_${randomUUID()}`,
            address: request.raw.socket.remoteAddress,
            signal: inner,
          });
          return { ...viewers.add(session, offerSdp, principal), sdp };
        },
      );
      reply
        .code(201)
        .header("location", `${SESSIONS}/${viewer.session.id}`)
        .header("etag", viewer.etag)
        .header("accept-patch", FRAGMENT)
        .header("cache-control", "no-store")
        .type(SDP);
      const links = iceLinks(manager.iceServers(viewer.session.id));
      if (links !== "") reply.header("link", links);
      return reply.send(viewer.sdp);
    },
  });
  route(app, {
    method: "OPTIONS",
    url: "/whep/*",
    action: "media:play",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    handler: async ({ reply }) => {
      reply.code(204).header("allow", "OPTIONS, POST").header("accept-post", SDP);
      const links = iceLinks(components.webrtc?.iceServers("options") ?? []);
      if (links !== "") reply.header("link", links);
      return reply.send();
    },
  });
}

/** ICE servers as links. @see https://www.rfc-editor.org/rfc/rfc9725#section-4.6 */
function iceLinks(servers: readonly IceServer[]): string {
  return servers
    .flatMap(({ urls, username, credential }) => {
      const secret =
        username === undefined
          ? ""
          : `; username="${username}"; credential="${credential ?? ""}"; credential-type="password"`;
      return urls.map(url => `<${url}>; rel="ice-server"${secret}`);
    })
    .join(", ");
}

function sessionRoutes(app: FastifyInstance, { limits }: ApiComponents, viewers: Viewers): void {
  const at = { url: `${SESSIONS}/:id`, action: "media:play", params: sessionParams } as const;
  const resource = ({ id }: { readonly id: string }): Resource => ({ sessionId: id });
  route(app, {
    ...at,
    resource,
    method: "PATCH",
    summary: "WHEP: takes further candidates of the player (application/trickle-ice-sdpfrag)",
    handler: async ({ params, principal, request, reply }) => {
      const viewer = viewers.find(params.id, principal);
      requireType(request, FRAGMENT);
      const restarts = requireMatch(request, viewer);
      const fragment = parseFragment(await textBody(request.raw, { maxBytes: MAX_FRAGMENT_BYTES, limits }));
      const answer = restarts ? await restart(viewer, fragment) : undefined;
      for (const ufrag of fragment.ufrags) {
        if (!viewer.ufrags.has(ufrag)) {
          throw new CidcastError(
            "PRECONDITION_FAILED",
            "The fragment is of another ICE session; If-Match: * begins one",
          );
        }
      }
      for (const candidate of fragment.candidates) await viewer.session.addCandidate(candidate);
      reply.header("etag", viewer.etag);
      return answer === undefined ? reply.code(204).send() : reply.code(200).type(FRAGMENT).send(answer);
    },
  });
  route(app, {
    ...at,
    resource,
    method: "DELETE",
    summary: "WHEP: ends the session",
    handler: async ({ params, principal, reply }) => {
      await viewers.find(params.id, principal).session.close("the viewer left");
      return reply.code(200).send();
    },
  });
  route(app, {
    ...at,
    method: "OPTIONS",
    handler: async ({ reply }) =>
      reply.code(204).header("allow", "DELETE, OPTIONS, PATCH").header("accept-patch", FRAGMENT).send(),
  });
}

function managerOf({ webrtc, webrtcMissing = "it is switched off" }: ApiComponents): WebRTCStreamingManager {
  if (webrtc !== undefined) return webrtc;
  throw new CidcastError("FEATURE_DISABLED", `WebRTC is not available on this node: ${webrtcMissing}`);
}

function requireType(request: FastifyRequest, type: string): void {
  const given = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (given === type) return;
  throw new CidcastError("UNSUPPORTED_CONTENT_TYPE", `The body has to be ${type}`);
}

/** Begins another ICE session of the viewer; resolves to our part of it. */
async function restart(viewer: Viewer, { credentials, ufrags }: Fragment): Promise<string> {
  if (credentials === undefined || viewer.ufrags.has(credentials.ufrag)) {
    throw new CidcastError("INVALID_SDP", "An ICE restart names a new ice-ufrag and ice-pwd");
  }
  const { ufrag, password, candidates } = await viewer.session.restartIce(credentials);
  viewer.ufrags = ufrags;
  viewer.etag = newEtag();
  return [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`, ...candidates, "a=end-of-candidates", ""].join(
    "\r\n",
  );
}

/** RFC 9725 section 4.3.1: the entity tag names the ICE session that a fragment is for. True for `*`, which begins another. */
function requireMatch(request: FastifyRequest, viewer: Viewer): boolean {
  const given = request.headers["if-match"];
  if (given === undefined) {
    throw new CidcastError("PRECONDITION_REQUIRED", "If-Match has to name the ETag of the session");
  }
  if (given.trim() === "*") return true;
  const tags = given.split(",").map(tag => tag.trim());
  if (!tags.includes(viewer.etag)) {
    throw new CidcastError("PRECONDITION_FAILED", "If-Match names another ICE session than the present one");
  }
  return false;
}
