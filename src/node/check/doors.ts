import { hash } from "node:crypto";
import { CID } from "multiformats/cid";
import WebSocket from "ws";
import { messageOf, raceSignal } from "../../core/index.ts";
import { ask, type Asked, jsonOf } from "./request.ts";
import { type Check, type CheckContext, fail, ok, type Outcome, skipped, unknown, warn } from "./types.ts";

/** Routes of WebSockets that every node of this program has. */
const COMMON_ROUTES = ["/ws", "/ws/notifications", "/ws/webrtc", "/ws/content", "/ws/stream"];
const NOT_SERVING = "This node does not serve.";

/** HTTP, files and MCP. */
export const doorChecks: readonly Check[] = [
  {
    code: "HTTP_PORT",
    run: async ({ target, signal }) => {
      if (target === undefined) return skipped(NOT_SERVING);
      const answer = await ask(target, "/api/v0/version", { signal });
      const { name, version } = jsonOf(answer) ?? {};
      if (answer.status === 401)
        return fail("It asks for a token.", "Give its token: --token or --against-token");
      if (name !== "cidcast") {
        return warn(
          `What answers (status ${answer.status}) is no cidcast.`,
          "Name the address of a cidcast node.",
        );
      }
      return ok(`cidcast ${String(version)} answers.`);
    },
  },
  {
    code: "GATEWAY_RANGE",
    run: withClip(async (target, cid, { signal }) => {
      const range = { range: "bytes=10-109" };
      const { status, headers, body } = await ask(target, `/ipfs/${cid}`, { signal, headers: range });
      if (status !== 206 || body.byteLength !== 100) {
        return fail(
          `A range is answered with status ${status} and ${body.byteLength} bytes.`,
          "Whatever stands between has to pass ranges on.",
        );
      }
      return ok(`100 bytes of ${headers["content-range"] ?? "the file"} came, and no others.`);
    }),
  },
  {
    code: "GATEWAY_BLOCK",
    run: withClip(async (target, cid, { signal }) => {
      const { status, body } = await ask(target, `/ipfs/${cid}?format=raw`, { signal });
      const { multihash } = CID.parse(cid);
      if (status !== 200)
        return fail(`A block is answered with status ${status}.`, "The node has to hold the clip.");
      if (multihash.code === 0x12 && !hash("sha256", body, "buffer").equals(multihash.digest)) {
        return fail(
          "The block that came is not the one that was asked for.",
          "Something between changes answers.",
        );
      }
      return ok(`The root block came (${body.byteLength} bytes), and its hash is its name.`);
    }),
  },
  {
    code: "MCP",
    run: async ({ target, all, signal }) => {
      if (target === undefined) return skipped(NOT_SERVING);
      if (!all) return skipped("Only with --all.");
      const params = {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "check", version: "1" },
      };
      const { status, body } = await ask(target, "/mcp", {
        signal,
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
      });
      if (status === 200 && body.includes("serverInfo")) return ok("MCP answers `initialize`.");
      if (status === 401 || status === 403) return ok("MCP answers, and asks for a tenant's token.");
      if (status === 404 || status === 503) return skipped("MCP is switched off.");
      return fail(`MCP answers with status ${status}.`, "Look at the log of the node.");
    },
  },
];

/** One check for each route of WebSockets. */
export function socketChecks(paths: readonly string[] | undefined): Check[] {
  const routes = (paths ?? COMMON_ROUTES).filter(path => !/[:*{]/.test(path));
  return [...new Set(routes.map(path => path.replace(/(.)\/$/, "$1")))].map(path => ({
    code: "WEBSOCKET",
    subject: path,
    run: async ({ target, signal }) => {
      if (target === undefined) return skipped(NOT_SERVING);
      return handshake(target, path, signal);
    },
  }));
}

async function handshake({ url, token, ca }: Asked, path: string, signal: AbortSignal): Promise<Outcome> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws").replace(/\/$/, "")}${path}`, {
    handshakeTimeout: 10_000,
    ...(ca !== undefined && { ca }),
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  });
  const opened = Promise.withResolvers<Outcome>();
  socket.once("open", () => opened.resolve(ok("The handshake succeeds.")));
  socket.once("unexpected-response", (_request, { statusCode = 0 }) => {
    opened.resolve(
      statusCode === 401 || statusCode === 403
        ? ok(`It answers, and asks for a token (${statusCode}).`)
        : fail(
            `The handshake is answered with status ${statusCode}.`,
            "A proxy between has to pass WebSockets on.",
          ),
    );
  });
  socket.on("error", error => {
    opened.resolve(fail(`No handshake: ${messageOf(error)}.`, "Look at what stands between."));
  });
  try {
    return await raceSignal(opened.promise, signal);
  } finally {
    socket.terminate();
  }
}

function withClip(
  run: (target: Asked, cid: string, context: CheckContext) => Promise<Outcome>,
): Check["run"] {
  return async context => {
    if (context.target === undefined) return skipped(NOT_SERVING);
    const cid = await clipOf(context.target, context);
    if (cid !== undefined) return run(context.target, cid, context);
    return unknown("There is no clip to ask for.", "Add a video first: cidcast add <file>");
  };
}

/** A clip that the target has: the shipped one, else any video of its list. */
export async function clipOf(
  target: Asked,
  { parts, isOther, signal }: CheckContext,
): Promise<string | undefined> {
  if (parts.sampleCid !== undefined && !isOther) return parts.sampleCid;
  const answer = await ask(target, "/api/v0/content?limit=100", { signal });
  const records: unknown = jsonOf(answer)?.["records"];
  if (!Array.isArray(records)) return undefined;
  const videos = records.filter(isVideo);
  return (videos.find(({ cid }) => cid === parts.sampleCid) ?? videos[0])?.cid;
}

function isVideo(value: unknown): value is { readonly cid: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    "cid" in value &&
    typeof value.cid === "string" &&
    "contentType" in value &&
    String(value.contentType).startsWith("video/")
  );
}
