import { expect, test } from "vitest";
import { fittingSize } from "./profile.ts";

test.each([
  [
    { width: 1920, height: 1080 },
    { width: 1280, height: 720 },
  ],
  [
    { width: 3026, height: 1386 },
    { width: 1280, height: 586 },
  ],
  [
    { width: 1080, height: 1920 },
    { width: 720, height: 1280 },
  ],
  [
    { width: 1440, height: 1080 },
    { width: 960, height: 720 },
  ],
  [
    { width: 640, height: 361 },
    { width: 640, height: 360 },
  ],
  [
    { width: 1, height: 1 },
    { width: 2, height: 2 },
  ],
] as const)("%o becomes %o: at most 720p, even, never larger than it was", (source, size) => {
  expect(fittingSize(source)).toEqual(size);
});
