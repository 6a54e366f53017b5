import { expect, it } from "vitest";
import { run } from "../../src/cli/testing/run.ts";
import { chromiumFiles } from "./launcher/chromium-files.ts";
import { startRealNode } from "./real-node.ts";

it("check-connectivity --browser plays a clip in Chromium to a decoded picture", async () => {
  const [files, real] = await Promise.all([chromiumFiles(), startRealNode()]);
  try {
    const args = ["check-connectivity", "--browser", "--json", "--api", real.url];
    const ended = await run(args, {
      cwd: real.node.dataDir,
      dataDir: real.node.dataDir,
      env: {
        CHROME_PATH: files.executable,
        CHROME_FLAGS: "--no-sandbox --disable-setuid-sandbox",
        LD_LIBRARY_PATH: files.libraries,
        FONTCONFIG_PATH: files.fonts,
      },
    });
    const { findings } = JSON.parse(ended.stdout) as { findings: { code: string; status: string }[] };
    const browser = findings.find(({ code }) => code === "BROWSER");
    expect(browser).toMatchObject({ status: "ok" });
  } finally {
    await real[Symbol.asyncDispose]();
  }
});
