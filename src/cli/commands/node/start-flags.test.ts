import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../config/index.ts";
import { addSettingFlags, settingsOf } from "./start-flags.ts";

function parse(...argv: string[]) {
  const command = new Command("start");
  addSettingFlags(command);
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  command.parse(argv, { from: "user" });
  return loadConfig({ flags: settingsOf(command.opts()), env: {}, cwd: "/nonexistent" });
}

describe("flags of start", () => {
  test("none given leave the defaults", () => {
    expect(parse()).toEqual(loadConfig({ env: {}, cwd: "/nonexistent" }));
  });

  test("set text, numbers, yes and no, and lists", () => {
    const config = parse(
      "--host",
      "::1",
      "--port",
      "9000",
      "--debug",
      "--no-sample",
      "--webrtc-enabled",
      "no",
      "--cors-origins",
      "https://a.example,https://b.example",
      "--cors-origins",
      "https://c.example",
    );
    expect(config).toMatchObject({ host: "::1", port: 9000, debug: true, sample: false });
    expect(config.webrtc.enabled).toBe(false);
    expect(config.corsOrigins).toEqual(["https://a.example", "https://b.example", "https://c.example"]);
  });

  test("--connect adds peers", () => {
    expect(parse("--p2p-connect", "/a", "--connect", "/b", "--connect", "/c").p2p.connect).toEqual([
      "/a",
      "/b",
      "/c",
    ]);
  });

  test("a choice that is none is refused", () => {
    expect(() => parse("--log-level", "loud")).toThrow(/Allowed choices/);
  });
});
