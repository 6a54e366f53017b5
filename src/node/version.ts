import packageJson from "../../package.json" with { type: "json" };

/** Version of the node, as in package.json. */
export const VERSION: string = packageJson.version;
