import { createInterface } from "node:readline";

/** What a server under test tells of itself in its first line. */
export interface Place {
  readonly http?: string;
  readonly ws?: string;
  readonly rpc?: string;
  readonly token?: string;
  readonly tenantId?: string;
}

/** Tells where it is, then what is asked line by line: `memory` in bytes, after a collection. Ends with its input. */
export function answerQuestions(place: Place, stop: () => Promise<void>): void {
  console.log(JSON.stringify(place));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", () => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    console.log(JSON.stringify({ rss, held: heapUsed + external }));
  });
  lines.on("close", () => void stop().then(() => process.exit(0)));
}
