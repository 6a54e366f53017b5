import { type JobBody, prepareBody } from "@cidcast/protocols/node-api/jobs";
import type { Command } from "commander";
import { CidcastError, isAbortError } from "../../../core/index.ts";
import { type CommandContext, type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

/** How often a job is asked how it is, milliseconds. */
const POLL_MS = 500;

interface PrepareFlags extends CommonOptions {
  readonly presets?: string;
  readonly codec?: string;
  readonly detach?: boolean;
}

/** `cidcast prepare`. */
export function prepareCommand(environment: CliEnvironment): Command {
  return nodeCommand("prepare", "make a prepared ladder of a media file and print its manifest's CID")
    .argument("<ref>", "CID, or CID and path")
    .option("--presets <names>", "sizes with commas between them: very_low, low, medium, high, very_high")
    .option("--codec <name>", "h264 (default), vp9 or av1")
    .option("--detach", "print the job's id and do not wait")
    .action(async (ref: string, flags: PrepareFlags) => {
      const wanted = { presets: presetsOf(flags.presets), codec: codecOf(flags.codec) };
      await withNode(
        environment,
        flags,
        async context => {
          const { api, output, signal } = context;
          const jobId = await api.prepare(ref, { ...wanted, signal });
          if (flags.detach === true) return output.result({ jobId }, jobId);
          const job = await waitFor(context, jobId);
          output.result(job, job.result?.root ?? "");
        },
        // A command on a directory ends with what it waits for: nobody would go on with the job.
        flags.detach === true ? "running" : "any",
      );
    });
}

/** `cidcast jobs`. */
export function jobsCommand(environment: CliEnvironment): Command {
  return nodeCommand("jobs", "jobs that prepare ladders, or one of them")
    .argument("[id]", "a job's id")
    .option("--cancel", "end that job")
    .action(async (id: string | undefined, flags: CommonOptions & { readonly cancel?: boolean }) => {
      if (flags.cancel === true && id === undefined) {
        throw new CidcastError("INVALID_REQUEST", "--cancel is for one job: give its id");
      }
      await withNode(environment, flags, async ({ api, output, signal }) => {
        if (id === undefined) {
          const jobs = await api.jobs({ signal });
          if (output.json) for (const job of jobs) output.result(job, "");
          else output.result(jobs, table(jobs.map(row)));
          return;
        }
        const job =
          flags.cancel === true ? await api.cancelJob(id, { signal }) : await api.job(id, { signal });
        output.result(job, table([row(job)]));
      });
    });
}

/** Sizes as they were written. `INVALID_REQUEST` for one that does not exist. */
function presetsOf(text: string | undefined): JobBody["presets"] {
  if (text === undefined) return undefined;
  const names = text
    .split(",")
    .map(name => name.trim())
    .filter(name => name !== "");
  const parsed = prepareBody.shape.presets.safeParse(names);
  if (parsed.success) return parsed.data;
  throw new CidcastError("INVALID_REQUEST", `--presets: ${text} names a size that does not exist`);
}

/** `INVALID_REQUEST` for a codec that ladders are not made in. */
function codecOf(text: string | undefined): JobBody["codec"] {
  const parsed = prepareBody.shape.codec.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CidcastError("INVALID_REQUEST", `--codec: ${text} is not h264, vp9 or av1`);
}

/** Waits until a job is over; told to stop, it ends the job of a directory that nobody serves. */
async function waitFor({ api, environment, output, signal }: CommandContext, id: string): Promise<JobBody> {
  const draw = (job: JobBody): void => {
    if (output.json || environment.stderr.isTTY !== true) return;
    environment.stderr.write(`\r\u001b[K${progressText(job)}`);
  };
  try {
    for (;;) {
      const job = await api.job(id, { signal });
      if (job.state === "done") return job;
      if (job.state === "failed")
        throw new CidcastError("TRANSCODE_FAILED", job.error?.message ?? "It failed");
      if (job.state === "cancelled") throw new CidcastError("ABORTED", "The job was cancelled");
      draw(job);
      await pause(signal);
    }
  } catch (error) {
    if (isAbortError(error)) output.note(`The job ${id} goes on with the node`);
    throw error;
  } finally {
    if (!output.json && environment.stderr.isTTY === true) environment.stderr.write("\r\u001b[K");
  }
}

function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  const timer = setTimeout(resolve, POLL_MS);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}

/** How a job is, for people. */
function progressText({ state, progress }: JobBody): string {
  if (state === "queued") return "waiting for other jobs";
  const { percent, fps, etaSeconds } = progress;
  const left = etaSeconds === undefined ? "" : `  ${etaSeconds} s left`;
  return `${percent.toFixed(1)} %  ${fps} pictures/s${left}`;
}

function row(job: JobBody): string[] {
  const outcome =
    job.result?.root ?? job.error?.message ?? (job.state === "running" ? progressText(job) : "");
  return [job.id, job.state, job.cid, outcome];
}
