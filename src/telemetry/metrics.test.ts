import { describe, expect, test } from "vitest";
import { createMetrics, MAX_SERIES_PER_METRIC } from "./metrics.ts";

const bare = () => createMetrics({ processMetrics: false });

describe("metrics", () => {
  test("renders counters, gauges and histograms in Prometheus' format", async () => {
    const { metrics, render } = bare();
    const counter = metrics.counter({ name: "a_total", help: "A.", labelNames: ["kind"] });
    counter.add(2, { kind: "x" });
    counter.add(undefined, { kind: "x" });
    metrics.gauge({ name: "b", help: "B." }).set(7);
    metrics.gauge({ name: "c", help: "C.", collect: () => 9 });
    metrics.histogram({ name: "d_seconds", help: "D.", buckets: [1, 2] }).observe(1.5);
    const { contentType, text } = await render();
    expect(contentType).toContain("text/plain");
    expect(text).toContain('a_total{kind="x"} 3');
    expect(text).toContain("b 7");
    expect(text).toContain("c 9");
    expect(text).toContain('d_seconds_bucket{le="2"} 1');
  });

  test("has what is brought up to date for a scrape in that very scrape", async () => {
    const { metrics, render } = bare();
    const counter = metrics.counter({ name: "a_total", help: "A.", labelNames: ["kind"] });
    metrics.beforeScrape(async () => {
      await Promise.resolve();
      counter.add(1, { kind: "x" });
    });
    expect((await render()).text).toContain('a_total{kind="x"} 1');
    expect((await render()).text).toContain('a_total{kind="x"} 2');
  });

  test("gives the same metric when a name is declared twice, and refuses another kind", async () => {
    const { metrics, render } = bare();
    metrics.counter({ name: "a_total", help: "A." }).add();
    metrics.counter({ name: "a_total", help: "A." }).add();
    expect((await render()).text).toContain("a_total 2");
    expect(() => metrics.gauge({ name: "a_total", help: "A." })).toThrow(/already declared/);
  });

  test("bounds the series of a metric: what is beyond is counted under `other`", async () => {
    const { metrics, render } = bare();
    const counter = metrics.counter({ name: "a_total", help: "A.", labelNames: ["cid"] });
    for (let i = 0; i < MAX_SERIES_PER_METRIC + 10; i++) counter.add(1, { cid: `c${i}` });
    const { text } = await render();
    expect(text.match(/^a_total\{/gm)).toHaveLength(MAX_SERIES_PER_METRIC + 1);
    expect(text).toContain('a_total{cid="other"} 10');
  });

  test("tells about process, event loop and heap, apart per registry", async () => {
    const one = createMetrics();
    const two = createMetrics();
    one.metrics.counter({ name: "only_one_total", help: "." }).add();
    const text = (await two.render()).text;
    for (const name of [
      "process_cpu_seconds_total",
      "nodejs_eventloop_lag_p99_seconds",
      "nodejs_heap_size_used_bytes",
    ]) {
      expect(text).toContain(name);
    }
    expect(text).not.toContain("only_one_total");
    one.close();
    two.close();
  });
});
