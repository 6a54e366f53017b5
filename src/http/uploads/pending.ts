import { CidcastError } from "../../core/index.ts";
import type { TenantDoor } from "../door/tenants.ts";
import { MAX_PENDING_UPLOADS, MAX_PENDING_UPLOADS_PER_OWNER } from "../limits.ts";

/** Uploads that are not finished, and the room that they may take. */
export interface PendingUploads {
  readonly count: number;
  /** Makes room for one more. `LIMIT_REACHED`, also where it is more than the tenant may keep. */
  add(id: string, upload: PendingUpload): void;
  remove(id: string): void;
  clear(): void;
}

export interface PendingUpload {
  readonly tenantId: string | undefined;
  readonly bytes: number;
}

export function createPendingUploads(quotas: TenantDoor["quotas"] | undefined): PendingUploads {
  const uploads = new Map<string, PendingUpload>();
  return {
    get count() {
      return uploads.size;
    },
    add(id, upload) {
      const own = [...uploads.values()].filter(({ tenantId }) => tenantId === upload.tenantId);
      if (uploads.size >= MAX_PENDING_UPLOADS || own.length >= MAX_PENDING_UPLOADS_PER_OWNER) {
        throw new CidcastError("LIMIT_REACHED", "There are too many unfinished uploads: finish or end some");
      }
      const bytes = own.reduce((sum, pending) => sum + pending.bytes, 0);
      quotas?.checkStorage(upload.tenantId, bytes, upload.bytes);
      uploads.set(id, upload);
    },
    remove: id => void uploads.delete(id),
    clear: () => uploads.clear(),
  };
}
