import { readdirSync } from "node:fs";
import { defineConfig } from "oxlint";

/** Layer of each folder of src/. A folder may import from folders of a lower layer only. */
const LAYERS: Record<string, number> = {
  core: 0,
  config: 1,
  store: 2,
  p2p: 2,
  notify: 2,
  telemetry: 2,
  content: 3,
  tenancy: 3,
  rooms: 3,
  transfer: 4,
  media: 4,
  webrtc: 5,
  agent: 5,
  http: 6,
  ws: 6,
  mcp: 6,
  node: 7,
  cli: 8,
};

/** Layer of src/node.ts, the composition root: only cli/ and index.ts stand above it. */
const NODE_LAYER = 7;

for (const entry of readdirSync(new URL("./src", import.meta.url), { withFileTypes: true })) {
  if (entry.isDirectory() && !(entry.name in LAYERS)) {
    throw new Error(`src/${entry.name} has no layer: add it to LAYERS in oxlint.config.ts`);
  }
}

/** Packages with one owner: everybody else goes through that owner's interface. */
const OWNED_PACKAGES: Record<string, string[]> = {
  werift: ["webrtc"],
  mediabunny: ["media"],
  "node-av": ["media"],
  fastify: ["http"],
  kysely: ["store", "content", "tenancy", "p2p", "transfer", "notify", "media"],
};

const restricted = (folder: string) => {
  const layer = LAYERS[folder] ?? 0;
  const forbidden = Object.keys(LAYERS).filter(f => f !== folder && (LAYERS[f] ?? 0) >= layer);
  const owned = Object.keys(OWNED_PACKAGES).filter(p => !OWNED_PACKAGES[p]?.includes(folder));
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: forbidden.flatMap(f => [`../${f}/*`, `../${f}/**`, `../../${f}/**`]),
              message: `src/${folder} (layer ${layer}) may import from lower layers only: see docs/ARCHITECTURE.md`,
            },
            ...(layer < NODE_LAYER
              ? [
                  {
                    group: ["../node.ts", "../index.ts"],
                    message: "Only cli/ and index.ts stand above src/node.ts",
                  },
                ]
              : []),
            {
              group: owned.flatMap(p => [p, `${p}/*`]),
              message: "This package has one owner: use its interface",
            },
            {
              group: ["@cidcast/client", "@cidcast/player"],
              message: "The node does not import what runs in browsers",
            },
          ],
        },
      ],
    },
  } as const;
};

export default defineConfig({
  plugins: ["typescript", "import", "unicorn", "promise", "node", "vitest"],
  categories: { correctness: "error", suspicious: "error" },
  options: { typeAware: true },
  ignorePatterns: ["node_modules", "**/dist/**", "artifacts/**", "test/fixtures/**"],
  rules: {
    "import/no-cycle": "error",
    "import/no-default-export": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/await-thenable": "error",
    "typescript/consistent-type-imports": "error",
    "max-lines": ["error", { max: 500, skipBlankLines: false, skipComments: false }],
    "max-params": ["error", { max: 4 }],
    "no-console": "error",
    "no-await-in-loop": "off",
    "no-underscore-dangle": "off",
    "no-shadow": "off",
    "import/no-unassigned-import": "off",
    "unicorn/no-array-sort": "off",
    "unicorn/consistent-function-scoping": "off",
    "promise/always-return": "off",
    "promise/catch-or-return": "off",
    "vitest/require-mock-type-parameters": "off",
    "vitest/valid-expect": ["error", { maxArgs: 2 }],
    "typescript/no-unsafe-type-assertion": "off",
    "typescript/unbound-method": "off",
    "import/no-named-as-default": "off",
    "import/no-named-as-default-member": "off",
    "import/default": "off",
  },
  overrides: [
    ...Object.keys(LAYERS).map(restricted),
    {
      files: ["**/*.test.ts", "test/**"],
      rules: { "typescript/no-non-null-assertion": "off", "max-params": "off" },
    },
    {
      files: [
        "src/cli/**",
        "scripts/**",
        "bench/**",
        "examples/**",
        "test/interop/**",
        "test/conformance/**",
      ],
      rules: { "no-console": "off" },
    },
    {
      files: ["*.config.ts", "**/*.config.ts", "scripts/counting-reporter.mjs"],
      rules: { "import/no-default-export": "off" },
    },
  ],
});
