import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CidcastError } from "../core/index.ts";
import { configTable, loadConfig, OPTIONS, redactConfig } from "./index.ts";

describe("loadConfig", () => {
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "cidcast-config-"));
  });
  afterEach(() => rmSync(cwd, { recursive: true }));
  const write = (name: string, text: string): void => writeFileSync(join(cwd, name), text);

  test("flags win over the environment, over .env, over the file, over the defaults", () => {
    write(
      "cidcast.config.json",
      JSON.stringify({ port: 1, host: "::1", webrtc: { udpPort: 2, maxSessions: 3 } }),
    );
    write(".env", "CIDCAST_PORT=11\nCIDCAST_WEBRTC_UDP_PORT=12\n");
    const config = loadConfig({ cwd, env: { CIDCAST_PORT: "21" }, flags: { logLevel: "warn" } });
    expect(config).toMatchObject({ port: 21, host: "::1", logLevel: "warn", sample: true });
    expect(config.webrtc).toMatchObject({ udpPort: 12, maxSessions: 3, workers: 1 });
    expect(loadConfig({ cwd, env: { CIDCAST_PORT: "21" }, flags: { port: "31" } }).port).toBe(31);
  });

  test("text becomes what the setting needs", () => {
    const env = {
      CIDCAST_DEBUG: "yes",
      CIDCAST_P2P_CONNECT: "/ip4/1.2.3.4/tcp/1, /ip4/1.2.3.4/tcp/2",
      CIDCAST_SAMPLE: "0",
    };
    const config = loadConfig({ cwd, env });
    expect(config).toMatchObject({ debug: true, sample: false });
    expect(config.p2p.connect).toEqual(["/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/2"]);
  });

  test("names other programs use work too", () => {
    expect(loadConfig({ cwd, env: { FFMPEG_PATH: "/usr/bin/ffmpeg" } }).media.ffmpegPath).toBe(
      "/usr/bin/ffmpeg",
    );
  });

  test.each(["", "DJANGO_"])("the sources' names, with %j before them", prefix => {
    const env = {
      [`${prefix}ALLOWED_HOSTS`]: "localhost,127.0.0.1",
      [`${prefix}CORS_ALLOWED_ORIGINS`]: "http://localhost:3000",
      [`${prefix}REDIS_HOST`]: "localhost",
      [`${prefix}SECRET_KEY`]: "a secret of a length",
      [`${prefix}DEBUG`]: "True",
    };
    expect(loadConfig({ cwd, env })).toMatchObject({
      allowedHosts: ["localhost", "127.0.0.1"],
      corsOrigins: ["http://localhost:3000"],
      redisUrl: "redis://localhost:6379",
      secretKey: "a secret of a length",
      debug: true,
    });
  });

  test.each([
    ["redis", "redis://redis:6379"],
    ["redis:6380", "redis://redis:6380"],
    ["::1", "redis://[::1]:6379"],
    ["[::1]:6380", "redis://[::1]:6380"],
    ["rediss://user:pass@far.example/2", "rediss://user:pass@far.example/2"],
  ])("REDIS_HOST %s is %s", (host, url) => {
    expect(loadConfig({ cwd, env: { REDIS_HOST: host } }).redisUrl).toBe(url);
  });

  test("the node's own variable wins over another program's, and log names in DEBUG are none of its business", () => {
    const env = { REDIS_HOST: "other", CIDCAST_REDIS_URL: "redis://own:1", DEBUG: "libp2p:*" };
    expect(loadConfig({ cwd, env })).toMatchObject({ redisUrl: "redis://own:1", debug: false });
  });

  test("the password of a Redis and the key are never shown", () => {
    const config = loadConfig({
      cwd,
      env: { REDIS_HOST: "redis://:hidden@r", SECRET_KEY: "hidden hidden hidden" },
    });
    expect(JSON.stringify(redactConfig(config))).not.toContain("hidden");
  });

  test.each([
    [{ env: { CIDCAST_REDIS_URL: "http://r" } }, /redisUrl: a Redis is named like/],
    [{ env: { SECRET_KEY: "short" } }, /secretKey: a key has at least 16 characters/],
    [{ env: { DJANGO_DEBUG: "perhaps" } }, /DJANGO_DEBUG: "perhaps" is neither true nor false/],
    [{ env: { CIDCAST_PROT: "1" } }, /no setting CIDCAST_PROT, did you mean CIDCAST_PORT\?/],
    [{ env: { CIDCAST_PORT: "many" } }, /CIDCAST_PORT: "many" is not a number/],
    [{ env: { CIDCAST_PORT: "70000" } }, /^port: /],
    [{ env: { CIDCAST_DEBUG: "perhaps" } }, /neither true nor false/],
    [{ env: { CIDCAST_TOKEN: "short" } }, /at least 16 characters/],
    [{ flags: { nonsense: "1" } }, /no setting nonsense/],
  ])("%j is refused with a reason", (init, message) => {
    expect(() => loadConfig({ cwd, ...init })).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
    expect(() => loadConfig({ cwd, ...init })).toThrow(message);
  });

  test("an unknown key of the file is refused with a suggestion", () => {
    write("cidcast.config.json", JSON.stringify({ webrtc: { udpPrt: 1 } }));
    expect(() => loadConfig({ cwd })).toThrow(
      "there is no setting webrtc.udpPrt, did you mean webrtc.udpPort?",
    );
  });

  test.each(["[]", "nothing", '"text"'])("a file that holds %s is refused", text => {
    write("cidcast.config.json", text);
    expect(() => loadConfig({ cwd })).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
  });

  test("a file that was asked for must exist", () => {
    expect(() => loadConfig({ cwd, file: "other.json" })).toThrow(/other\.json cannot be read/);
  });

  test("whatever the file holds, the outcome is a valid configuration or a typed error", () => {
    fc.assert(
      fc.property(fc.json(), text => {
        write("cidcast.config.json", text);
        let outcome: unknown;
        try {
          outcome = loadConfig({ cwd }).port;
        } catch (error) {
          outcome = error instanceof CidcastError ? error.code : error;
        }
        expect([8000, "INVALID_CONFIG"]).toContain(outcome);
      }),
    );
  });
});

describe("settings", () => {
  test("secrets are not shown", () => {
    const config = loadConfig({ cwd: tmpdir(), env: { CIDCAST_TOKEN: "0123456789abcdef" } });
    expect(JSON.stringify(redactConfig(config))).not.toContain("0123456789abcdef");
    expect(redactConfig(config)).toMatchObject({ token: "[secret]", port: 8000 });
  });

  test("each has a meaning, a flag and a variable of its own", () => {
    for (const option of OPTIONS) expect(option.description).not.toBe("");
    expect(new Set(OPTIONS.map(option => option.flag)).size).toBe(OPTIONS.length);
    expect(new Set(OPTIONS.map(option => option.env)).size).toBe(OPTIONS.length);
  });

  test("all are in docs/CONFIGURATION.md as they are in the code", () => {
    const text = readFileSync(new URL("../../docs/CONFIGURATION.md", import.meta.url), "utf8");
    for (const row of configTable().split("\n")) expect(text).toContain(row);
  });
});
