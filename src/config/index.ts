export { configTable, redactConfig } from "./document.ts";
export { CONFIG_FILE, type LoadConfigInit, loadConfig, parseConfig } from "./load.ts";
export { type ConfigChanges, configChanges, RELOADABLE } from "./reload.ts";
export { OPTIONS, type Option } from "./options.ts";
export { type Config, type ConfigInput, defaultDataDir } from "./schema.ts";
