import type { ChildProcess } from "node:child_process";

/** This process' children that encode or demux, those that are gone left out. */
export function mediaChildren(): ChildProcess[] {
  // Node's list of what keeps the process alive has no public type.
  const handles = (process as unknown as { _getActiveHandles(): readonly object[] })._getActiveHandles();
  return handles.filter(
    (handle): handle is ChildProcess =>
      "spawnargs" in handle &&
      String(handle.spawnargs).includes("transcode/child.ts") &&
      "exitCode" in handle &&
      handle.exitCode === null &&
      "signalCode" in handle &&
      handle.signalCode === null,
  );
}

/** Signals children from outside: their `killed` tells of this process' own decision alone. */
export function signalChildren(children: readonly ChildProcess[], name: NodeJS.Signals): void {
  for (const { pid, killed } of children) if (pid !== undefined && !killed) process.kill(pid, name);
}
