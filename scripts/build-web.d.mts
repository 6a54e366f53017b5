/** True when web/dist lacks something that its sources have. */
export function webIsStale(): boolean;
/** Builds the pages when needed. Returns whether it did. Several processes may call it at once. */
export function buildWeb(options?: { readonly force?: boolean }): Promise<boolean>;
