import type { ContentService } from "../content/index.ts";
import type { Principal } from "../core/index.ts";
import type { Prepare, PrepareComponents, PrepareJob } from "../media/index.ts";
import type { Tenancy } from "../tenancy/index.ts";

type Caller = Pick<Principal, "tenantId">;
type JobTenancy = Pick<Tenancy, "content" | "contentView" | "quotas">;

/** The queue as one caller has it: a tenant its own jobs, the node's owner all of them. */
export type PrepareFor = (caller: Caller) => Prepare;

/** Type of a manifest's root, as a tenant's record of it says. */
const MANIFEST_TYPE = "application/vnd.ipld.dag-cbor";

/** Keeps ladders: a tenant's among its content, under its own pin. */
export function keepLadders(
  content: ContentService,
  tenancy: JobTenancy | undefined,
): NonNullable<PrepareComponents["keep"]> {
  return async ({ root, name, bytes, owner }, options) => {
    if (owner === undefined || tenancy === undefined) {
      await content.pin(root, { ...options, name });
      return;
    }
    await tenancy.content.grant(owner, { cid: root, name, size: bytes, contentType: MANIFEST_TYPE });
    await tenancy.contentView(content, owner).pin(root, { ...options, name });
  };
}

/**
 * Jobs by caller. A tenant prepares what it has, within its quotas of jobs that are not over and of bytes, and learns
 * nothing of anybody else's.
 */
export async function prepareViews(prepare: Prepare, tenancy: JobTenancy | undefined): Promise<PrepareFor> {
  if (tenancy === undefined) return () => prepare;
  /** Jobs that count against a tenant. */
  const counted = new Set<string>();
  const count = (job: PrepareJob, lease: Disposable): void => {
    if (counted.has(job.id) || isOver(job)) return lease[Symbol.dispose]();
    counted.add(job.id);
    const over = (): void => {
      counted.delete(job.id);
      lease[Symbol.dispose]();
    };
    prepare.ended(job.id).then(over, over);
  };
  for (const job of await prepare.jobs()) {
    if (job.owner !== undefined && !isOver(job)) count(job, leaseAgain(tenancy, job.owner));
  }
  return ({ tenantId: owner }) =>
    owner === undefined ? prepare : viewOf(prepare, { tenancy, owner, count });
}

function viewOf(
  prepare: Prepare,
  init: {
    readonly tenancy: JobTenancy;
    readonly owner: string;
    readonly count: (job: PrepareJob, lease: Disposable) => void;
  },
): Prepare {
  const { tenancy, owner, count } = init;
  const { content, quotas } = tenancy;
  const own = { owner };
  return {
    async submit(ref, options = {}) {
      await requireOwn(content, owner, ref);
      let lease: Disposable | undefined;
      // Not asked for a job that is there already.
      const admit = async (bytes: number): Promise<void> => {
        lease = quotas.lease(owner, "jobs");
        quotas.checkStorage(owner, await content.usedBytes(owner), bytes);
      };
      try {
        const job = await prepare.submit(ref, { ...options, ...own, admit });
        if (lease !== undefined) count(job, lease);
        return job;
      } catch (error) {
        lease?.[Symbol.dispose]();
        throw error;
      }
    },
    job: id => prepare.job(id, own),
    jobs: () => prepare.jobs(own),
    cancel: id => prepare.cancel(id, own),
    async ended(id, options) {
      await prepare.job(id, own);
      return prepare.ended(id, options);
    },
    async rootOf(source) {
      await requireOwn(content, owner, source);
      return prepare.rootOf(source);
    },
  };
}

/** `CONTENT_NOT_FOUND` for what the tenant does not have. */
async function requireOwn(content: JobTenancy["content"], tenantId: string, ref: string): Promise<void> {
  const [root = ""] = ref.replace(/^\/ipfs\/|^ipfs:\/\//, "").split("/", 1);
  await content.requireRead({ kind: "token", id: "", door: "embed", tenantId, scopes: new Set() }, root);
}

/** A job of an earlier run counts, also where the quota has become smaller since. */
function leaseAgain({ quotas }: JobTenancy, owner: string): Disposable {
  try {
    return quotas.lease(owner, "jobs");
  } catch {
    // More than its quota: the job goes on all the same, and no new one is taken.
    return { [Symbol.dispose]() {} };
  }
}

function isOver({ state }: PrepareJob): boolean {
  return state !== "queued" && state !== "running";
}
