// Unpacks what @sparticuz/chromium ships into os.tmpdir(), which the caller points (TMPDIR) at a folder of its own:
// the package's `inflate` knows no other place. Runs as a process of its own, so that no other code sees that TMPDIR.
import { join } from "node:path";
import { inflate } from "@sparticuz/chromium";

const bin = process.argv[2];
await Promise.all(
  ["chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br"].map(name =>
    inflate(join(bin, name)),
  ),
);
