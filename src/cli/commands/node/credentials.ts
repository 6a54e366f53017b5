import { Command } from "commander";
import { z } from "zod";
import { CidcastError, silentLogger } from "../../../core/index.ts";
import { adminClient } from "../../api/admin-client.ts";
import { configOf, findApi } from "../../api/open-api.ts";
import { type CommonOptions, nodeCommand } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { createOutput } from "../../output/output.ts";

const rotated = z.object({ resealed: z.number(), key_id: z.string() });

/** `cidcast credentials rotate`: in a running node with the admin key of its data directory, else in the directory itself. */
export function credentialsCommand(environment: CliEnvironment): Command {
  const rotate = nodeCommand(
    "rotate",
    "seal every credential anew with a new key; where MCP_ENCRYPTION_KEY is set, with that one",
  ).action(async (flags: CommonOptions) => {
    const { signal } = environment;
    const output = createOutput(environment, flags.json === true);
    const config = configOf(environment, flags);
    await using running = await findApi(environment, flags);
    const { resealed, keyId } = await (async () => {
      if (running !== undefined) {
        const admin = await adminClient(config, "Rotating the key", running.ca);
        const call = { method: "POST", signal } as const;
        const { resealed, key_id: keyId } = await admin.json(rotated, "/api/admin/credentials/rotate/", call);
        return { resealed, keyId };
      }
      const options = { serve: false, mcp: true, log: silentLogger };
      await using node = await environment.openNode({ ...config, sample: false }, options);
      if (node.tenancy !== undefined) return node.tenancy.credentials.rotate();
      throw new CidcastError("FEATURE_DISABLED", "This node has no tenants");
    })();
    output.result(
      { event: "rotated", resealed, keyId },
      `${resealed} credentials sealed anew with key ${keyId}; the key before is not needed any more`,
    );
  });
  return new Command("credentials").description("secrets that tools use for tenants").addCommand(rotate);
}
