import { AsyncLocalStorage } from "node:async_hooks";
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { type AddedContent, nameText, type UploadResult } from "@cidcast/protocols/node-api";
import { FileConfigstore, FileStore } from "@tus/file-store";
import { Server } from "@tus/server";
import {
  CidcastError,
  isCidcastError,
  type Logger,
  type Principal,
  SingleFlight,
  toCidcastError,
} from "../../core/index.ts";
import { addedBody } from "../api/add-parts.ts";
import type { ContentFor, TenantDoor } from "../door/tenants.ts";
import { UPLOAD_LIFETIME_MS, UPLOAD_SWEEP_MS } from "../limits.ts";
import { parse } from "../routing/route.ts";
import { createFinishedUploads, type FinishedUploads } from "./finished.ts";
import { createPendingUploads, type PendingUploads } from "./pending.ts";
import { toTusError } from "./tus-errors.ts";

/** Where resumable uploads are. */
export const UPLOADS_PATH = "/api/v0/uploads";
/** Field of an upload's metadata that says whose it is; nobody else can set it. */
const TENANT_FIELD = "cidcast-tenant";
/** Fields of metadata that are kept: names as the usual clients send them. */
const KEPT_FIELDS = ["filename", "name", "filetype", "type"] as const;
const EXTENSIONS = ["creation", "creation-with-upload", "termination", "expiration"];

export interface UploadsInit {
  readonly directory: string;
  readonly maxBytes: number;
}

export interface UploadsComponents {
  readonly contentFor: ContentFor;
  readonly quotas: TenantDoor["quotas"] | undefined;
  readonly log: Logger;
  /** Bytes that have become content. */
  readonly onAdded: (bytes: number) => void;
  /** Ends what is being added. */
  readonly stopping: AbortSignal;
}

type Stored = Awaited<ReturnType<FileStore["getUpload"]>>;

/** Uploads by the tus protocol: their bytes wait in files, and become content when all are here. */
export class Uploads {
  readonly #init: UploadsInit;
  readonly #components: UploadsComponents;
  readonly #caller = new AsyncLocalStorage<Principal>();
  readonly #store: FileStore;
  readonly #server: Server;
  readonly #finished: FinishedUploads;
  readonly #pending: PendingUploads;
  readonly #finishing = new SingleFlight<string, AddedContent>();
  #sweeper: NodeJS.Timeout | undefined;

  private constructor(init: UploadsInit, components: UploadsComponents) {
    const { directory, maxBytes } = init;
    this.#init = init;
    this.#components = components;
    this.#finished = createFinishedUploads(directory);
    this.#pending = createPendingUploads(components.quotas);
    this.#store = new FileStore({
      directory,
      configstore: new FileConfigstore(directory),
      expirationPeriodInMilliseconds: UPLOAD_LIFETIME_MS,
    });
    this.#store.extensions = EXTENSIONS;
    this.#server = new Server({
      path: UPLOADS_PATH,
      datastore: this.#store,
      maxSize: maxBytes,
      relativeLocation: true,
      // The node's own door has answered who may ask from where.
      allowedOrigins: () => false,
      namingFunction: () => `${ownerTag(this.#caller.getStore()?.tenantId)}-${randomUUID()}`,
      getFileIdFromRequest: request => uploadIdOf(request.url),
      onUploadCreate: async (_request, upload) => ({ metadata: await this.#admit(upload) }),
      onUploadFinish: async (_request, upload) => {
        // Whoever wants to know what became of it asks for that: adding may take longer than a client waits.
        this.#finish(upload.id).catch((error: unknown) => this.#warn(upload.id, error));
        return {};
      },
      onResponseError: (_request, error) => toTusError(error),
    });
  }

  /** Opens the folder, and goes on with what was there. */
  static async open(init: UploadsInit, components: UploadsComponents): Promise<Uploads> {
    await mkdir(init.directory, { recursive: true, mode: 0o700 });
    const uploads = new Uploads(init, components);
    await uploads.#sweep();
    uploads.#sweeper = setInterval(
      () => void uploads.#sweep().catch(error => components.log.warn({ err: error }, "uploads not swept")),
      UPLOAD_SWEEP_MS,
    ).unref();
    components.stopping.addEventListener("abort", () => clearInterval(uploads.#sweeper), { once: true });
    return uploads;
  }

  /** `UPLOAD_NOT_FOUND` for what is not the caller's. */
  requireOwner(id: string, { tenantId }: Principal): void {
    if (id.startsWith(`${ownerTag(tenantId)}-`)) return;
    throw new CidcastError("UPLOAD_NOT_FOUND", `There is no upload ${id}`);
  }

  /** Answers a request of the protocol; the upload is the caller's. */
  async serve(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    { id, principal }: { readonly id?: string | undefined; readonly principal: Principal },
  ): Promise<void> {
    const done = incoming.method === "HEAD" && id !== undefined ? await this.#finished.get(id) : undefined;
    if (done !== undefined) {
      const { size } = done.added;
      outgoing.writeHead(200, {
        "tus-resumable": "1.0.0",
        "upload-offset": size,
        "upload-length": size,
        "cache-control": "no-store",
      });
      outgoing.end();
      return;
    }
    await this.#caller.run(principal, () => this.#server.handle(incoming, outgoing));
    if (incoming.method === "DELETE" && id !== undefined && outgoing.statusCode < 300) {
      this.#pending.remove(id);
    }
  }

  /** How far it is; once all bytes are here, waits for what becomes of them. */
  async result(id: string, principal: Principal): Promise<UploadResult> {
    this.requireOwner(id, principal);
    const done = await this.#finished.get(id);
    if (done !== undefined) return wholeResult(id, done.added);
    let upload: Stored;
    try {
      upload = await this.#upload(id);
    } catch (error) {
      // It may have become content between the two looks.
      const now = await this.#finished.get(id);
      if (now === undefined) throw error;
      return wholeResult(id, now.added);
    }
    const { offset, size = 0 } = upload;
    if (offset < size) return { id, offset, size };
    return { id, offset, size, added: await this.#finish(id) };
  }

  async #admit(upload: Pick<Stored, "id" | "size" | "metadata">): Promise<Stored["metadata"]> {
    const tenantId = this.#caller.getStore()?.tenantId;
    const kept: Record<string, string | null> = {};
    for (const field of KEPT_FIELDS) {
      const value = upload.metadata?.[field];
      if (value) kept[field] = parse(nameText, value, field);
    }
    const bytes = upload.size ?? 0;
    const { bavail, bsize } = await statfs(this.#init.directory);
    // Its bytes are there twice for a while: as they came, and as blocks.
    if (bytes * 2 > bavail * bsize) {
      throw new CidcastError("STORAGE_FULL", `There is no room for ${bytes} bytes, twice for a while`);
    }
    this.#pending.add(upload.id, { tenantId, bytes });
    return tenantId === undefined ? kept : { ...kept, [TENANT_FIELD]: tenantId };
  }

  #finish(id: string): Promise<AddedContent> {
    return this.#finishing.run(id, async () => {
      const known = await this.#finished.get(id);
      if (known !== undefined) return known.added;
      const { metadata, size = 0 } = await this.#upload(id);
      const tenantId = metadata?.[TENANT_FIELD] ?? undefined;
      const name = metadata?.["filename"] ?? metadata?.["name"];
      const contentType = metadata?.["filetype"] ?? metadata?.["type"];
      const { contentFor, stopping } = this.#components;
      const record = await contentFor({ tenantId }).add(createReadStream(join(this.#init.directory, id)), {
        signal: stopping,
        totalBytes: size,
        pin: "",
        ...(name && { name }),
        ...(contentType && contentType !== "application/octet-stream" && { contentType }),
      });
      const added = addedBody(record);
      await this.#finished.keep({
        id,
        finishedAtMs: Date.now(),
        added,
        ...(tenantId !== undefined && { tenantId }),
      });
      await this.#store.remove(id);
      this.#pending.remove(id);
      this.#components.onAdded(added.size);
      return added;
    });
  }

  async #upload(id: string): Promise<Stored> {
    try {
      return await this.#store.getUpload(id);
    } catch (error) {
      throw new CidcastError("UPLOAD_NOT_FOUND", `There is no upload ${id}`, { cause: error });
    }
  }

  /** Lets go of what has expired, and counts and finishes what is there. */
  async #sweep(): Promise<void> {
    await this.#store.deleteExpired();
    await this.#finished.sweep(Date.now() - UPLOAD_LIFETIME_MS);
    this.#pending.clear();
    for (const id of (await this.#store.configstore.list?.()) ?? []) {
      if (uploadIdOf(`/${id}`) !== id) continue;
      const upload = await this.#upload(id).catch(() => undefined);
      if (upload === undefined) continue;
      const { metadata, size = 0, offset } = upload;
      try {
        this.#pending.add(id, { tenantId: metadata?.[TENANT_FIELD] ?? undefined, bytes: size });
      } catch (error) {
        // Those that are here already may be finished, also where a limit has become smaller.
        if (!isCidcastError(error, "LIMIT_REACHED")) throw error;
      }
      if (offset >= size) this.#finish(id).catch((error: unknown) => this.#warn(id, error));
    }
  }

  #warn(id: string, error: unknown): void {
    if (this.#components.stopping.aborted) return;
    this.#components.log.warn({ upload: id, err: toCidcastError(error) }, "an upload could not be added");
  }
}

function wholeResult(id: string, added: AddedContent): UploadResult {
  return { id, offset: added.size, size: added.size, added };
}

/** The last name of an address, when it can be an upload's. */
export function uploadIdOf(address: string): string | undefined {
  const [, id] = /\/([a-z0-9-]{1,64})$/.exec(address.split("?", 1)[0] ?? "") ?? [];
  return id === "uploads" ? undefined : id;
}

/** What the ids of a caller's uploads begin with. */
function ownerTag(tenantId: string | undefined): string {
  return createHash("sha256")
    .update(tenantId ?? "")
    .digest("hex")
    .slice(0, 16);
}
