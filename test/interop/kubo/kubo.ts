import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kuboBinary } from "./build.ts";

/** Settings that keep the daemon to itself, beside those of Kubo's `test` profile. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ["AutoConf.Enabled", "false"],
  ["AutoTLS.Enabled", "false"],
  ["Routing.Type", '"none"'],
  ["Provide.Enabled", "false"],
  ["Discovery.MDNS.Enabled", "false"],
  ["Swarm.DisableNatPortMap", "true"],
  ["Swarm.RelayClient.Enabled", "false"],
  ["Swarm.RelayService.Enabled", "false"],
  ["Swarm.EnableHolePunching", "false"],
  ["Addresses.Swarm", '["/ip4/127.0.0.1/tcp/0","/ip4/127.0.0.1/tcp/0/ws"]'],
  ["Addresses.API", '"/ip4/127.0.0.1/tcp/0"'],
  ["Addresses.Gateway", '"/ip4/127.0.0.1/tcp/0"'],
];

/** A real Kubo daemon of its own on loopback; stopped and deleted when disposed of. */
export interface Kubo extends AsyncDisposable {
  readonly peerId: string;
  /** Dialable addresses, with `/p2p/`. */
  readonly addresses: readonly string[];
  /** Of the daemon. */
  readonly pid: number | undefined;
  /** Base URL of its gateway. */
  readonly gateway: string;
  /** Runs `ipfs <args>` against the daemon; gives what it prints. */
  ipfs(args: readonly string[], input?: Uint8Array): Promise<Buffer>;
}

/** Starts Kubo; gives the reason where it cannot be built. `settings` are further `ipfs config --json` pairs. */
export async function startKubo(
  settings: readonly (readonly [string, string])[] = [],
): Promise<Kubo | { readonly missing: string }> {
  const found = await kuboBinary();
  if ("missing" in found) return found;
  const { binary } = found;
  const repository = await mkdtemp(join(tmpdir(), "cidcast-kubo-"));
  const env = { ...process.env, IPFS_PATH: repository, IPFS_TELEMETRY: "off" };
  const ipfs = (args: readonly string[], input?: Uint8Array): Promise<Buffer> =>
    runIpfs(binary, args, env, input);
  try {
    await ipfs(["init", "--profile=test"]);
    await ipfs(["bootstrap", "rm", "--all"]);
    for (const [key, value] of [...SETTINGS, ...settings]) await ipfs(["config", "--json", key, value]);
  } catch (error) {
    await rm(repository, { recursive: true, force: true });
    throw error;
  }
  const daemon = spawn(binary, ["daemon"], { env, stdio: ["ignore", "pipe", "pipe"] });
  const stop = async (): Promise<void> => {
    await stopDaemon(daemon);
    await rm(repository, { recursive: true, force: true });
  };
  try {
    const gateway = await ready(daemon);
    const id: unknown = JSON.parse((await ipfs(["id"])).toString());
    const { ID: peerId, Addresses: addresses } = id as { ID: string; Addresses: string[] };
    return { peerId, addresses, pid: daemon.pid, gateway, ipfs, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function runIpfs(
  binary: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input: Uint8Array | undefined,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const child = execFile(
    binary,
    [...args],
    { env, encoding: "buffer", maxBuffer: 2 ** 30 },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`ipfs ${args.join(" ")}: ${stderr.toString().trim() || error.message}`));
    },
  );
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  return promise;
}

/** Waits for the daemon; gives the URL of its gateway. */
function ready(daemon: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = "";
  const onData = (data: Buffer): void => {
    output += data.toString();
    if (!output.includes("Daemon is ready")) return;
    resolve(
      /Gateway server listening on \/ip4\/([\d.]+)\/tcp\/(\d+)/.exec(output)?.slice(1, 3).join(":") ?? "",
    );
  };
  daemon.stdout?.on("data", onData);
  daemon.stderr?.on("data", onData);
  daemon.once("error", reject);
  daemon.once("exit", code => reject(new Error(`Kubo ended with ${code}: ${output}`)));
  return promise.then(host => `http://${host}`);
}

async function stopDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exited = new Promise<void>(resolve => daemon.once("exit", () => resolve()));
  daemon.kill("SIGTERM");
  const kill = setTimeout(() => daemon.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(kill);
}
