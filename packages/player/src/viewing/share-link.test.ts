import { describe, expect, it } from "vitest";
import { shareLink } from "./share-link.ts";

describe("shareLink", () => {
  it("names node, content and whole seconds", () => {
    expect(shareLink("https://node.example/", "bafy/film.mp4", 61.9)).toBe(
      "https://node.example/play/bafy/film.mp4?t=61",
    );
  });

  it("is without a time at the start", () => {
    expect(shareLink("http://127.0.0.1:8000", "bafy", 0.4)).toBe("http://127.0.0.1:8000/play/bafy");
  });
});
