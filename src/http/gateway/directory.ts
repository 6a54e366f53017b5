import type { DirectoryEntryBody } from "@cidcast/protocols/node-api";
import type { Content, DirectoryEntry } from "../../content/index.ts";
import type { AbortOptions } from "../../core/index.ts";
import { encodePath } from "./headers.ts";

/** One page of a directory. */
export interface DirectoryPage {
  readonly entries: DirectoryEntryBody[];
  /** True when there are more. */
  readonly truncated: boolean;
}

/** Reads entries [offset, offset + limit). */
export async function readDirectory(
  content: Content,
  ref: string,
  options: AbortOptions & { readonly limit: number; readonly offset: number },
): Promise<DirectoryPage> {
  const entries: DirectoryEntryBody[] = [];
  let index = 0;
  for await (const entry of content.ls(ref, { signal: options.signal })) {
    if (entries.length === options.limit) return { entries, truncated: true };
    if (index >= options.offset) entries.push(bodyOf(entry));
    index += 1;
  }
  return { entries, truncated: false };
}

function bodyOf({ name, cid, type, size }: DirectoryEntry): DirectoryEntryBody {
  return { name, cid, type, ...(size !== undefined && { size }) };
}

/** A listing for people: no scripts, so it lives under the same sandbox as content. */
export function directoryHtml(
  { cid, path }: { readonly cid: string; readonly path: string },
  page: DirectoryPage,
  place: { readonly limit: number; readonly offset: number },
): string {
  const names = [cid, ...(path === "" ? [] : path.split("/"))];
  const here = `/ipfs/${names.map(encodePath).join("/")}`;
  const up = path === "" ? "" : `<tr><td><a href="${here}/..">..</a></td><td></td><td></td></tr>`;
  const rows = page.entries.map(entry => {
    const slash = entry.type === "directory" ? "/" : "";
    const size = entry.size === undefined ? "" : formatBytes(entry.size);
    const name = encodePath(entry.name);
    const link = `<a href="${here}/${name}${slash}">${escapeHtml(entry.name)}</a>${slash}`;
    const block = `<a class="ipfs-hash" translate="no" href="/ipfs/${entry.cid}?filename=${name}">${escapeHtml(entry.cid)}</a>`;
    return `<tr><td>${link}</td><td class="n">${size}</td><td>${block}</td></tr>`;
  });
  const crumbs = names.map((name, index) => {
    const to = `/ipfs/${names
      .slice(0, index + 1)
      .map(encodePath)
      .join("/")}`;
    return `<a href="${to}">${escapeHtml(name)}</a>`;
  });
  const next = place.offset + place.limit;
  const more = page.truncated
    ? `<p><a href="?offset=${next}&amp;limit=${place.limit}">Next ${place.limit}</a></p>`
    : "";
  const title = `Index of ${escapeHtml(`/ipfs/${names.join("/")}/`)}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}h1{font-size:1.1rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}td,th{padding:.25rem .5rem;text-align:left;overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap}.ipfs-hash{font:.8em ui-monospace,monospace;opacity:.7}</style></head>
<body><main><h1>Index of /ipfs/${crumbs.join("/")}</h1><table><thead><tr><th scope="col">Name</th><th scope="col" class="n">Size</th><th scope="col">CID</th></tr></thead>
<tbody>${up}${rows.join("\n")}</tbody></table>${more}</main></body></html>
`;
}

function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** Text as it can stand in HTML, also in attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
