import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where the unpacked browser lies. */
export interface ChromiumFiles {
  readonly executable: string;
  /** Shared libraries that the package brings (libnss3, libnspr4 …), for `LD_LIBRARY_PATH`. */
  readonly libraries: string;
  /** A fontconfig folder with one font, for `FONTCONFIG_PATH`: pictures of pages then look alike on every machine. */
  readonly fonts: string;
}

const run = promisify(execFile);
const UNPACKER = fileURLToPath(new URL("./unpack.mjs", import.meta.url));
const CHECKOUT_CACHE = fileURLToPath(new URL("../../../node_modules/.cache", import.meta.url));
const USER_ID = process.getuid?.() ?? 0;
const USER_CACHE = join(tmpdir(), `cidcast-browser-${USER_ID}`);

/** Longest unpacking, ms: brotli of 180 MB takes 3–6 s here, more on a loaded machine. */
const UNPACK_TIMEOUT_MS = 120_000;

/**
 * Unpacks the browser of the npm package `@sparticuz/chromium` once and returns where it is. Several processes may call
 * this at once: each unpacks into a folder of its own, and renaming that folder to its final name is one atomic step.
 */
export async function chromiumFiles(): Promise<ChromiumFiles> {
  const packageFolder = dirname(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")));
  const { version }: { version: string } = JSON.parse(
    await readFile(join(packageFolder, "package.json"), "utf8"),
  );
  const name = `chromium-${version}-${process.arch}`;
  for (const home of [CHECKOUT_CACHE, USER_CACHE]) {
    if (await isTrusted(join(home, name, "complete"))) return filesIn(join(home, name));
  }

  const home = await writableCache();
  const folder = join(home, name);
  const staging = await mkdtemp(join(home, "chromium-unpacking-"));
  try {
    await run(process.execPath, [UNPACKER, join(packageFolder, "bin")], {
      env: { ...process.env, TMPDIR: staging },
      timeout: UNPACK_TIMEOUT_MS,
    });
    await writeFile(join(staging, "fonts", "fonts.conf"), fontConfig(filesIn(folder).fonts));
    await writeFile(join(staging, "complete"), "");
    // Another user of the same checkout may run it too.
    await Promise.all([chmod(staging, 0o755), chmod(join(staging, "chromium"), 0o755)]);
    await rename(staging, folder).catch(async error => {
      // Another process was first: its copy is as good.
      if (!(await isTrusted(join(folder, "complete")))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return filesIn(folder);
}

function filesIn(folder: string): ChromiumFiles {
  return {
    executable: join(folder, "chromium"),
    libraries: join(folder, "al2023", "lib"),
    fonts: join(folder, "fonts"),
  };
}

/** The package's own configuration names folders of a cloud service: without any font the browser ends itself. */
function fontConfig(fonts: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${fonts}/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;
}

/** The checkout's own cache; where that may not be written, a folder of this user in the temporary directory. */
async function writableCache(): Promise<string> {
  try {
    await mkdir(CHECKOUT_CACHE, { recursive: true });
    await rm(await mkdtemp(join(CHECKOUT_CACHE, "probe-")), { recursive: true });
    return CHECKOUT_CACHE;
  } catch {
    await mkdir(USER_CACHE, { recursive: true, mode: 0o700 });
    return USER_CACHE;
  }
}

/** True when the file is there and was made by this user or the machine's administrator. */
async function isTrusted(path: string): Promise<boolean> {
  return stat(path).then(
    ({ uid }) => uid === USER_ID || uid === 0,
    () => false,
  );
}
