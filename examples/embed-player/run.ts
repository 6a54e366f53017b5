// The player in a page of another origin, by one script tag. The node has to allow that origin (`corsOrigins`).
// `node examples/embed-player/run.ts [FILE]`; with `--stay` it goes on until Ctrl-C, for a look at the page.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWeb } from "../../scripts/build-web.mjs";
import { createNode } from "../../src/index.ts";

const stay = process.argv.includes("--stay");
const file =
  process.argv.slice(2).find(argument => !argument.startsWith("--")) ??
  fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
const template = await readFile(new URL("index.html", import.meta.url), "utf8");
const dataDir = await mkdtemp(join(tmpdir(), "cidcast-embed-player-"));
let html = "";
const site = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
});
site.listen(0, "127.0.0.1");
await once(site, "listening");
// It listens on a port, so its address is not a pipe's name.
const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
try {
  await buildWeb();
  await using node = await createNode({
    dataDir,
    port: 0,
    sample: false,
    logLevel: "warn",
    corsOrigins: [origin],
    webrtc: { udpPort: 0 },
  });
  const { cid } = await node.content.add(createReadStream(file), { name: basename(file) });
  html = template.replace("NODE", node.url ?? "").replace("CID", cid);

  // What the browser asks for: the script and the parts that it names, from another origin.
  const fetchScript = async (path: string): Promise<string> => {
    const response = await fetch(new URL(path, node.url), { headers: { origin } });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("access-control-allow-origin"), origin);
    assert.match(response.headers.get("content-type") ?? "", /javascript/);
    return response.text();
  };
  const script = await fetchScript("/player.js");
  const parts = [...script.matchAll(/["']\.\/(assets\/[^"']+\.js)["']/g)].map(match => match[1] ?? "");
  assert.ok(parts.length > 0);
  for (const part of parts) await fetchScript(`/${part}`);
  console.log(`${origin} plays ${cid} from ${node.url}`);
  if (stay) await once(process, "SIGINT");
} finally {
  site.close();
  site.closeAllConnections();
  await rm(dataDir, { recursive: true, force: true });
}
