import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CidcastError, messageOf } from "../core/index.ts";
import type { CustomTool } from "../mcp/index.ts";

/** Tools of the modules that the owner named. Their code runs in the node, with all that the node may do. `INVALID_CONFIG`. */
export async function pluginTools(paths: readonly string[]): Promise<CustomTool[]> {
  const lists = await Promise.all(paths.map(loadTools));
  return lists.flat();
}

async function loadTools(path: string): Promise<CustomTool[]> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as { readonly default?: unknown };
  } catch (cause) {
    throw new CidcastError("INVALID_CONFIG", `mcp.plugins: ${path} cannot be loaded: ${messageOf(cause)}`, {
      cause,
    });
  }
  const tools: readonly unknown[] = Array.isArray(module.default) ? module.default : [module.default];
  return tools.map(tool => {
    // What else a tool needs is checked where it is registered.
    if (typeof tool === "object" && tool !== null && "handler" in tool && typeof tool.handler === "function")
      return tool as CustomTool;
    throw new CidcastError(
      "INVALID_CONFIG",
      `mcp.plugins: ${path} has to export a tool, or a list of tools, with a handler each, by default`,
    );
  });
}
