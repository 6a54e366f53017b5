import { z } from "zod";
import { configSchema, SECRET_PATHS } from "./schema.ts";

export type OptionKind = "string" | "number" | "boolean" | "list";

/** One setting, as flags, environment and documentation need it. */
export interface Option {
  /** Place in the configuration: `webrtc.udpPort`. */
  readonly path: string;
  /** Long flag: `--webrtc-udp-port`. */
  readonly flag: string;
  /** Environment variable: `CIDCAST_WEBRTC_UDP_PORT`. */
  readonly env: string;
  readonly kind: OptionKind;
  readonly choices: readonly string[] | undefined;
  readonly description: string;
  readonly secret: boolean;
  /** Undefined where there is none, or where it depends on the machine. */
  readonly defaultValue: unknown;
}

/** Every setting, in the order of the schema. */
export const OPTIONS: readonly Option[] = collect(configSchema, []);

function words(path: readonly string[]): string[] {
  return path
    .flatMap(part => part.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").split(" "))
    .map(word => word.toLowerCase());
}

function collect(schema: z.ZodObject, parents: readonly string[]): Option[] {
  return Object.entries(schema.shape).flatMap(([key, entry]) => {
    const path = [...parents, key];
    const { inner, defaultValue } = unwrap(entry);
    if (inner instanceof z.ZodObject) return collect(inner, path);
    const name = path.join(".");
    return [
      {
        path: name,
        flag: `--${words(path).join("-")}`,
        env: `CIDCAST_${words(path).join("_").toUpperCase()}`,
        kind: kindOf(inner, name),
        choices: inner instanceof z.ZodEnum ? inner.options.map(String) : undefined,
        description: z.globalRegistry.get(entry as z.ZodType)?.description ?? "",
        secret: SECRET_PATHS.has(name),
        defaultValue: name === "dataDir" ? "~/.cidcast" : defaultValue,
      },
    ];
  });
}

function unwrap(schema: unknown): { readonly inner: unknown; readonly defaultValue: unknown } {
  if (schema instanceof z.ZodDefault) {
    return { inner: unwrap(schema.def.innerType).inner, defaultValue: schema.def.defaultValue };
  }
  if (schema instanceof z.ZodPrefault) return unwrap(schema.def.innerType);
  if (schema instanceof z.ZodOptional) return unwrap(schema.def.innerType);
  return { inner: schema, defaultValue: undefined };
}

function kindOf(schema: unknown, name: string): OptionKind {
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodBoolean) return "boolean";
  if (schema instanceof z.ZodArray) return "list";
  if (schema instanceof z.ZodString || schema instanceof z.ZodEnum) return "string";
  throw new Error(`setting ${name} has a type that flags and environment cannot carry`);
}
