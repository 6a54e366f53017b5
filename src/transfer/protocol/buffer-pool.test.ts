import { expect, test } from "vitest";
import { MAX_POOLED_BYTES, MIN_POOLED_BYTES } from "../limits.ts";
import { BufferPool } from "./buffer-pool.ts";

test("a buffer that was given back is the next one of its size, once", () => {
  const pool = new BufferPool();
  const first = pool.take(300_000);
  expect(first.byteLength).toBe(300_000);
  pool.give(first.buffer);
  pool.give(first.buffer);
  expect(pool.freeBytes).toBe(300_000);
  expect(pool.take(400_000).buffer).not.toBe(first.buffer);
  const again = pool.take(299_000);
  expect(again.buffer).toBe(first.buffer);
  expect(again.byteLength).toBe(299_000);
  expect(pool.take(299_000).buffer).not.toBe(first.buffer);
});

test("small ones, others' ones and more than there is room for are not kept", () => {
  const pool = new BufferPool();
  pool.give(pool.take(MIN_POOLED_BYTES - 1).buffer);
  pool.give(new ArrayBuffer(1_000_000));
  expect(pool.freeBytes).toBe(0);
  const many = Array.from({ length: 6 }, () => pool.take(MAX_POOLED_BYTES / 4));
  for (const buffer of many) pool.give(buffer.buffer);
  expect(pool.freeBytes).toBe(MAX_POOLED_BYTES);
});
