export { PackBlockstore, type PackBlockstoreInit } from "./pack-blockstore.ts";
