import { doneResult, webhookAdded, webhookBody, webhooksResult } from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { CidcastError } from "../../core/index.ts";
import type { WebhookRegistry } from "../../notify/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** Longest id of a webhook: a UUID. */
const ID_LENGTH = 36;

/** Where events are posted to: added, listed and taken away by the node's owner. */
export function webhookRoutes(app: FastifyInstance, { webhooks }: ApiComponents): void {
  const enabled = (): WebhookRegistry => {
    if (webhooks === undefined)
      throw new CidcastError("FEATURE_DISABLED", "There are no webhooks on this node");
    return webhooks;
  };
  route(app, {
    method: "POST",
    url: "/api/v0/webhooks",
    action: "node:admin",
    body: webhookBody,
    answer: webhookAdded,
    summary: "Posts events to a URL from now on; the answer tells the key of their signature, once",
    handler: async ({ body }) => {
      const { webhook, secret } = await enabled().add(body);
      return { ...webhook, secret };
    },
  });
  route(app, {
    method: "GET",
    url: "/api/v0/webhooks",
    action: "node:admin",
    answer: webhooksResult,
    summary: "Webhooks and how they go",
    handler: async () => ({ webhooks: enabled().list() }),
  });
  route(app, {
    method: "DELETE",
    url: "/api/v0/webhooks/:id",
    action: "node:admin",
    params: z.object({ id: z.string().max(ID_LENGTH) }),
    answer: doneResult,
    summary: "Takes a webhook away",
    handler: async ({ params }) => {
      await enabled().remove(params.id);
      return { ok: true };
    },
  });
}
