import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { fileRequest, plainTransferRequest } from "./schema.ts";

const lists = z.array(z.unknown());
const vectors = z
  .object({ file: lists, fileRefused: lists, transfer: lists, transferRefused: lists })
  .parse(JSON.parse(readFileSync(new URL("vectors/exchanges.json", import.meta.url), "utf8")));

test("requests of the vectors are read, others refused", () => {
  for (const value of vectors.file) expect(fileRequest.safeParse(value).success).toBe(true);
  for (const value of vectors.fileRefused) expect(fileRequest.safeParse(value).success).toBe(false);
  for (const value of vectors.transferRefused) {
    expect(plainTransferRequest.safeParse(value).success).toBe(false);
  }
  expect(vectors.transfer.map(value => plainTransferRequest.parse(value))).toMatchObject([
    { offset: 0, length: -1 },
    { offset: 0, length: -1 },
  ]);
});
