import {
  MAX_NAME_LENGTH,
  pushBody,
  pushResult,
  type TransferBodyResult,
  transferBody,
  transferResult,
  transfersQuery,
  transfersResult,
} from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { CidcastError } from "../../core/index.ts";
import type { Transfer, Transfers } from "../../transfer/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

const idParams = z.object({ id: z.string().min(1).max(MAX_NAME_LENGTH) });

/** Transfers: begin, watch, pause, go on, cancel. */
export function transferRoutes(app: FastifyInstance, { transfers }: ApiComponents): void {
  const enabled = (): Transfers => {
    if (transfers === undefined) throw new CidcastError("FEATURE_DISABLED", "This node transfers nothing");
    return transfers;
  };
  route(app, {
    method: "POST",
    url: "/api/v0/transfers",
    action: "transfer:start",
    body: transferBody,
    answer: transferResult,
    summary: "Brings content here; gives the transfer under way where the CID has one",
    handler: async ({ body }) => transferBodyOf(await enabled().begin(body)),
  });
  route(app, {
    method: "POST",
    url: "/api/v0/push",
    action: "transfer:start",
    body: pushBody,
    answer: pushResult,
    summary: "Brings content from here to another node, and waits for it",
    handler: async ({ body, signal }) => pushResult.parse(await enabled().push({ ...body, signal })),
  });
  route(app, {
    method: "GET",
    url: "/api/v0/transfers",
    action: "transfer:start",
    query: transfersQuery,
    answer: transfersResult,
    summary: "Transfers, newest first",
    handler: async ({ query }) => {
      const { transfers: list, total } = await enabled().list(query);
      return { transfers: list.map(transferBodyOf), total };
    },
  });
  route(app, {
    method: "GET",
    url: "/api/v0/transfers/:id",
    action: "transfer:start",
    params: idParams,
    answer: transferResult,
    summary: "One transfer",
    handler: async ({ params: { id } }) => transferBodyOf(await enabled().transfer(id)),
  });
  route(app, {
    method: "POST",
    url: "/api/v0/transfers/:id/pause",
    action: "transfer:start",
    params: idParams,
    answer: transferResult,
    summary: "Stops a transfer; what is verified stays",
    handler: async ({ params: { id } }) => transferBodyOf(await enabled().pause(id)),
  });
  route(app, {
    method: "POST",
    url: "/api/v0/transfers/:id/resume",
    action: "transfer:start",
    params: idParams,
    answer: transferResult,
    summary: "Goes on with a transfer that is paused, failed or cancelled",
    handler: async ({ params: { id } }) => transferBodyOf(await enabled().resume(id)),
  });
  route(app, {
    method: "DELETE",
    url: "/api/v0/transfers/:id",
    action: "transfer:start",
    params: idParams,
    answer: transferResult,
    summary: "Cancels a transfer",
    handler: async ({ params: { id } }) => transferBodyOf(await enabled().cancel(id)),
  });
}

/** A transfer as an answer. */
export function transferBodyOf({
  from,
  attempts,
  byRung,
  pin: _pin,
  ...transfer
}: Transfer): TransferBodyResult {
  const given = Object.entries(transfer).filter(([, value]) => value !== undefined);
  return transferResult.parse({
    ...Object.fromEntries(given),
    from: [...from],
    attempts: [...attempts],
    byRung: { ...byRung },
  });
}
