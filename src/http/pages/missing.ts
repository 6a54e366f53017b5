import { escapeHtml } from "../gateway/directory.ts";

/** What a browser sees while the pages are not built. */
export function missingPagesHtml(webRoot: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>cidcast: pages not built</title>
<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;margin:4rem auto;max-width:40rem;padding:0 1rem}</style></head>
<body><main><h1>The node runs, its pages are not built</h1>
<p>There are no pages in <code>${escapeHtml(webRoot)}</code>. <code>npm start</code> builds them; they appear here without a restart.</p>
<p>Meanwhile the API works: <a href="/api/docs">/api/docs</a>, <a href="/readyz">/readyz</a>, and content at <code>/ipfs/&lt;cid&gt;</code>.</p></main></body></html>
`;
}
