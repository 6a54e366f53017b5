import { type Command, Option as Flag } from "commander";
import { OPTIONS, type Option } from "../../../config/index.ts";

/** Gives a command a flag for every setting. */
export function addSettingFlags(command: Command): void {
  for (const option of OPTIONS) {
    command.addOption(flagOf(option));
    if (option.kind === "boolean") command.addOption(new Flag(`--no-${option.flag.slice(2)}`).hideHelp());
  }
  command.addOption(
    new Flag("--connect <multiaddr>", "peer to stay connected to; may be repeated").argParser(collect),
  );
}

/** The settings among a command's flags, by their path in the configuration. */
export function settingsOf(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const option of OPTIONS) {
    const value = flags[new Flag(option.flag).attributeName()];
    if (value !== undefined) settings[option.path] = value;
  }
  const connect = flags["connect"];
  if (Array.isArray(connect)) {
    const listed = settings["p2p.connect"];
    settings["p2p.connect"] = [...(Array.isArray(listed) ? listed : []), ...connect];
  }
  return settings;
}

function flagOf(option: Option): Flag {
  const value = { string: " <text>", number: " <number>", list: " <items>", boolean: " [yes|no]" }[
    option.kind
  ];
  const flag = new Flag(`${option.flag}${value}`, `${option.description} (${option.env})`);
  if (option.choices !== undefined) flag.choices(option.choices);
  if (option.kind === "list") flag.argParser(collect);
  return flag;
}

function collect(text: string, before: unknown): string[] {
  const items = text
    .split(",")
    .map(item => item.trim())
    .filter(item => item !== "");
  return [...(Array.isArray(before) ? (before as string[]) : []), ...items];
}
