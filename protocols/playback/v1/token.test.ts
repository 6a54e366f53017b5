import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PLAYBACK_CAVEATS, viewerKeyOf } from "./schema.ts";
import { attenuatePlaybackToken, boundsOf, parsePlaybackToken } from "./token.ts";

const vectors = JSON.parse(readFileSync(new URL("vectors/tokens.json", import.meta.url), "utf8")) as {
  tokens: { name: string; token: string; invalid?: true; bounds?: object | null }[];
  attenuation: { from: string; caveat: { maxQuality: "low" }; to: string };
};

describe("playback tokens v1", () => {
  it.each(vectors.tokens)("reads $name", ({ token, invalid, bounds }) => {
    const parsed = parsePlaybackToken(token);
    const read = parsed && { bounds: boundsOf(parsed) };
    const narrowest = bounds && { maxQuality: undefined, viewerKey: undefined, ...bounds };
    expect(read).toEqual(invalid === true ? undefined : { bounds: narrowest ?? undefined });
  });

  it("are made weaker by their holder", async () => {
    const { from, caveat, to } = vectors.attenuation;
    expect(await attenuatePlaybackToken(from, caveat)).toBe(to);
    await expect(attenuatePlaybackToken("cct_x", caveat)).rejects.toThrow("no playback token");
  });

  it("hold a bounded number of caveats", async () => {
    let token = vectors.attenuation.from;
    for (let n = 0; n < MAX_PLAYBACK_CAVEATS; n++) {
      token = await attenuatePlaybackToken(token, { maxQuality: "low" });
    }
    await expect(attenuatePlaybackToken(token, { maxQuality: "low" })).rejects.toThrow("more than this");
  });

  it("take fingerprints in every form that is shown", () => {
    const hex = "0f".repeat(32);
    const key = viewerKeyOf(hex);
    expect(key).toBe(Buffer.from(hex, "hex").toString("base64url"));
    expect(viewerKeyOf(`sha-256 ${hex.toUpperCase().match(/../g)!.join(":")}`)).toBe(key);
    expect(viewerKeyOf(key!)).toBe(key);
    expect(viewerKeyOf("sha-1 00:11")).toBeUndefined();
  });

  it("never throw on what somebody made up", () => {
    fc.assert(
      fc.property(fc.string(), text => {
        expect(() => parsePlaybackToken(`ccp_${text}`)).not.toThrow();
      }),
    );
  });
});
