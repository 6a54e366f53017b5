// Adds up what `npm test` and `npm run interop` counted; fails when either failed or never came to an end.
import { addCounts, noCounts, printCounts, readCounts } from "./report.mjs";

const total = noCounts();
for (const name of ["test", "interop"]) addCounts(total, readCounts(name));
printCounts(total);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
