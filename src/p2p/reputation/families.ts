import { MAX_FAMILY_MEMBERS, MAX_PARENTS_PER_MEMBER } from "../limits.ts";

/** Which CIDs belong together: members of a directory, collection or manifest, by their parents. Bounded, the latest kept. */
export class Families {
  readonly #parents = new Map<string, readonly string[]>();
  #version = 0;

  /** Changes when anything is related anew. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#parents.size;
  }

  /** Gives the members that are new under this parent. */
  relate(parent: string, children: readonly string[]): string[] {
    const added: string[] = [];
    for (const child of children.slice(0, MAX_FAMILY_MEMBERS)) {
      const known = this.#parents.get(child) ?? [];
      if (!known.includes(parent)) {
        added.push(child);
        this.#version++;
      }
      this.#parents.delete(child);
      this.#parents.set(
        child,
        [...known.filter(other => other !== parent), parent].slice(-MAX_PARENTS_PER_MEMBER),
      );
      const oldest = this.#parents.keys().next().value;
      if (this.#parents.size > MAX_FAMILY_MEMBERS && oldest !== undefined) this.#parents.delete(oldest);
    }
    return added;
  }

  /** The CID itself and everything it is a member of. */
  of(cid: string): readonly string[] {
    const parents = this.#parents.get(cid);
    if (parents === undefined) return [cid];
    return [cid, ...parents, ...parents.flatMap(parent => this.#parents.get(parent) ?? [])];
  }
}
