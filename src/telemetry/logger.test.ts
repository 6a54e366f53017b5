import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { CidcastError } from "../core/index.ts";
import { createLogger, type LoggerInit, SECRET_FIELDS } from "./logger.ts";

function capture(init: Partial<LoggerInit> = {}) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { log: createLogger({ level: "debug", pretty: false, ...init, destination }), lines };
}

describe("logger", () => {
  test("writes one JSON line per entry with level, time, fields and message", () => {
    const { log, lines } = capture();
    log.child({ part: "http" }).info({ port: 8000 }, "listening");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      part: "http",
      port: 8000,
      msg: "listening",
    });
  });

  test("leaves out what is below its level", () => {
    const { log, lines } = capture({ level: "warn" });
    log.info({}, "no");
    log.warn({}, "yes");
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(["yes"]);
  });

  test.each(SECRET_FIELDS)("takes the value of %s out, also inside objects and of children", field => {
    const { log, lines } = capture();
    log.info({ [field]: "hunter2hunter2", nested: { [field]: "hunter2hunter2" } }, "x");
    log.child({ config: { [field]: "hunter2hunter2" } }).warn({}, "y");
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).not.toContain("hunter2");
      expect(line).toContain("[secret]");
    }
  });

  test("takes tokens out of addresses, messages and errors", () => {
    const { log, lines } = capture();
    const cause = new Error("GET /x?a=1&token=hunter2 failed");
    log.error(
      { url: "/ipfs/x?token=hunter2&y=1", err: new CidcastError("INTERNAL", "Bearer hunter2", { cause }) },
      "asked /y?token=hunter2",
    );
    expect(lines.join("")).not.toContain("hunter2");
    expect(lines.join("")).toContain("y=1");
  });

  test("keeps an error's code and stack", () => {
    const { log, lines } = capture();
    log.warn({ err: new CidcastError("BUSY", "full") }, "no");
    expect(JSON.parse(lines[0]!).err).toMatchObject({
      code: "BUSY",
      message: "full",
      stack: expect.stringContaining("logger.test"),
    });
  });

  test("writes for people when asked", () => {
    const { log, lines } = capture({ pretty: true });
    log.info({ port: 8000, token: "hunter2" }, "listening");
    expect(lines.join("")).toMatch(/INFO.*listening[\s\S]*port: 8000/);
    expect(lines.join("")).not.toContain("hunter2");
  });
});
