import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { testMedia } from "../testing/harness.ts";

test("a timing table that names billions of samples is refused at once", async () => {
  const data = new Uint8Array(readFileSync(new URL("../../../samples/sample-720p.mp4", import.meta.url)));
  const at = Buffer.from(data.buffer).indexOf("stts");
  new DataView(data.buffer).setUint32(at + 12, 0xffffffff);
  await using t = testMedia({ files: { it: data }, transcode: false });
  await expect(t.media.probe("it")).rejects.toMatchObject({ code: "CORRUPT_MEDIA" });
});

test("a file of nothing but empty boxes is given up early", async () => {
  const data = new Uint8Array(8 * 2000);
  for (let at = 0; at < data.length; at += 8) data.set([0, 0, 0, 8, 0x66, 0x72, 0x65, 0x65], at);
  await using t = testMedia({ files: { it: data }, transcode: false });
  await expect(t.media.probe("it")).rejects.toMatchObject({
    code: "CORRUPT_MEDIA",
    message: expect.stringContaining("too much reading"),
  });
});
