export type { MissingBlocks } from "./missing-blocks.ts";
export { decodeCid } from "./walk.ts";
export { WantList } from "./want-list.ts";
