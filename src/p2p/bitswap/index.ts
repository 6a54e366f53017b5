export { BlockFetcher } from "./block-fetcher.ts";
export type { BlockExchange } from "./exchange.ts";
