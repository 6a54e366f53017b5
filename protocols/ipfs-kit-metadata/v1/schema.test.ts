import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { metadataPayload, metadataRequest, signedRecord } from "./schema.ts";

const vectors = z
  .object({
    records: z.array(z.object({ id: z.string(), payload: z.unknown(), signed: z.unknown() })),
    requests: z.array(z.unknown()),
    refused: z.array(z.unknown()),
  })
  .parse(JSON.parse(readFileSync(new URL("vectors/records.json", import.meta.url), "utf8")));

test("records of the vectors are read, with the fields nobody knows", () => {
  for (const { payload, signed } of vectors.records) {
    const bytes = Buffer.from(signedRecord.parse(signed).payload, "base64");
    const read = metadataPayload.parse(JSON.parse(bytes.toString("utf8")));
    expect(read).toEqual(payload);
    expect(read["x-rating"]).toBe(4);
  }
});

test("requests of the vectors are read, others refused", () => {
  for (const value of vectors.requests) expect(metadataRequest.safeParse(value).success).toBe(true);
  for (const value of vectors.refused) expect(metadataRequest.safeParse(value).success).toBe(false);
});
