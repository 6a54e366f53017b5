// Adds up what `npm test` and `npm run interop` counted; fails when either failed or never came to an end.
import { addCounts, printCounts, readCounts } from "./report.mjs";

const total = { passed: 0, failed: 0, skipped: 0 };
for (const name of ["test", "interop"]) addCounts(total, readCounts(name));
printCounts(total);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
