import { MAX_NAME_LENGTH } from "@cidcast/protocols/node-api";
import { z } from "zod";
import type { EntityBytes } from "../../../content/index.ts";
import { CidcastError } from "../../../core/index.ts";

/** Content type of one block. */
export const RAW_TYPE = "application/vnd.ipld.raw";
/** Content type of blocks one after another. */
const CAR_TYPE = "application/vnd.ipld.car";

/** Part of the gateway's query that asks for blocks. @see https://specs.ipfs.tech/http-gateways/trustless-gateway/ */
export const trustlessQuery = {
  format: z
    .string()
    .max(MAX_NAME_LENGTH)
    .optional()
    .describe("`raw`: the block; `car`: the blocks of the DAG."),
  "dag-scope": z.enum(["block", "entity", "all"]).optional(),
  "entity-bytes": z
    .string()
    .regex(/^-?\d{1,15}:(?:\*|-?\d{1,15})$/, "must be like 0:1023, 512:* or -256:*")
    .optional(),
  "car-version": z.literal("1").optional(),
  "car-order": z.enum(["dfs", "unk"]).optional(),
  "car-dups": z.enum(["y", "n"]).optional(),
};
type TrustlessQuery = z.output<z.ZodObject<typeof trustlessQuery>>;

/** How an answer is to look: as a file or listing, or as blocks that the client verifies. */
export type Representation =
  | { readonly kind: "file" }
  | { readonly kind: "raw" }
  | {
      readonly kind: "car";
      readonly scope: "block" | "entity" | "all";
      readonly bytes: EntityBytes | undefined;
      readonly duplicates: boolean;
    };

/** Reads query and `Accept`; what the query says goes before what the header says. `INVALID_REQUEST`. */
export function representationOf(query: TrustlessQuery, accept: string | undefined): Representation {
  const asked = acceptedType(accept);
  const { format } = query;
  if (format !== undefined && format !== "raw" && format !== "car") {
    throw new CidcastError("INVALID_REQUEST", `query.format: ${format} is not served: raw and car are`);
  }
  if (format === "raw" || (format === undefined && asked?.type === RAW_TYPE)) return { kind: "raw" };
  if (format === undefined && asked?.type !== CAR_TYPE) return { kind: "file" };
  const parameters = asked?.type === CAR_TYPE ? asked.parameters : undefined;
  const version = query["car-version"] ?? parameters?.get("version") ?? "1";
  if (version !== "1")
    throw new CidcastError("INVALID_REQUEST", `CAR version ${version} is not served: 1 is`);
  const bytes = query["entity-bytes"];
  return {
    kind: "car",
    scope: query["dag-scope"] ?? (bytes === undefined ? "all" : "entity"),
    bytes: bytes === undefined ? undefined : entityBytes(bytes),
    duplicates: (query["car-dups"] ?? parameters?.get("dups")) === "y",
  };
}

/** The content type of a CAR as it is sent: always depth first. */
export function carType({ duplicates }: { readonly duplicates: boolean }): string {
  return `${CAR_TYPE}; version=1; order=dfs; dups=${duplicates ? "y" : "n"}`;
}

/** The first of the types in an `Accept` header that is about blocks. */
function acceptedType(
  accept = "",
): { readonly type: string; readonly parameters: ReadonlyMap<string, string> } | undefined {
  for (const part of accept.split(",")) {
    const [name = "", ...rest] = part.split(";");
    const type = name.trim().toLowerCase();
    if (type !== RAW_TYPE && type !== CAR_TYPE) continue;
    const parameters = rest.map(text => text.split("=", 2).map(side => side.trim()));
    return {
      type,
      parameters: new Map(parameters.map(([key = "", value = ""]) => [key.toLowerCase(), value])),
    };
  }
  return undefined;
}

function entityBytes(text: string): EntityBytes {
  const [from = "0", to = "*"] = text.split(":");
  return { from: Number(from), to: to === "*" ? undefined : Number(to) };
}
