import { ClientError, createBackoff } from "@cidcast/client";
import { describe, expect, it } from "vitest";
import { keepConnected } from "./keep-connected.ts";

const backoff = (maxAttempts: number) =>
  createBackoff({ firstMs: 60_000, maxMs: 60_000, factor: 1, jitter: 0, maxAttempts });
const lost = new ClientError("NODE_UNREACHABLE", "gone");

describe("keepConnected", () => {
  it("ends in the last real error when the attempts are used up, and a wait can be cut short", async () => {
    const attempts: number[] = [];
    const result = await keepConnected({
      connect: () => Promise.resolve(lost),
      backoff: backoff(3),
      signal: new AbortController().signal,
      onRetry: ({ attempt, wake }) => {
        attempts.push(attempt);
        wake();
      },
    });
    expect(result).toBe(lost);
    expect(attempts).toEqual([1, 2, 3]);
  });

  it("does not try again what cannot succeed", async () => {
    let calls = 0;
    const result = await keepConnected({
      connect: () => {
        calls += 1;
        return Promise.reject(new ClientError("CONTENT_NOT_FOUND", "no such content"));
      },
      backoff: backoff(3),
      signal: new AbortController().signal,
      onRetry: () => undefined,
    });
    expect(result?.code).toBe("CONTENT_NOT_FOUND");
    expect(calls).toBe(1);
  });

  it("stops in the middle of a wait when it is told to", async () => {
    const scope = new AbortController();
    const result = await keepConnected({
      connect: () => Promise.resolve(lost),
      backoff: backoff(3),
      signal: scope.signal,
      onRetry: () => scope.abort(),
    });
    expect(result).toBeUndefined();
  });
});
