// A vitest reporter that writes what passed, failed and was skipped, and names every failure, to the file of its settings.
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { ROOT } from "./setup.mjs";

/** Longest message kept of a failure, in characters. */
const MESSAGE = 600;

export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
    for (const module of modules) {
      const file = relative(ROOT, module.moduleId);
      for (const test of module.children.allTests()) {
        const { state, errors = [] } = test.result();
        counts[state === "pending" ? "skipped" : state] += 1;
        if (state === "failed") counts.failures.push(failure(`${file} > ${test.fullName}`, errors));
      }
      // A file that cannot be loaded, or a suite whose hook failed, has no failed test to tell it.
      for (const broken of [module, ...module.children.allSuites()]) {
        const errors = broken.errors();
        if (errors.length === 0) continue;
        counts.failed += 1;
        counts.failures.push(failure(broken === module ? file : `${file} > ${broken.fullName}`, errors));
      }
    }
    for (const error of unhandledErrors) {
      counts.failed += 1;
      counts.failures.push(failure("outside any test", [error]));
    }
    writeFileSync(process.env.VITEST_COUNTS_FILE, JSON.stringify(counts));
  }
}

function failure(name, errors) {
  const lines = errors.flatMap(error => (error.stack ?? `${error.message}`).split("\n"));
  const text = lines.filter(line => !line.includes("/node_modules/")).join("\n");
  return { name, message: text.length > MESSAGE ? `${text.slice(0, MESSAGE)}…` : text };
}
