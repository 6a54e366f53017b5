/**
 * Bounds of milliseconds on paths that are not perfect: held where somebody asks for them, on a machine that does nothing
 * else (`CIDCAST_TEST_BOUNDS=1 npm run interop -- test/interop/net`). Otherwise they are skipped.
 */
export const HOLDS_BOUNDS = process.env["CIDCAST_TEST_BOUNDS"] === "1";
