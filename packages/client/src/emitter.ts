/** Typed events of one object. `Events` maps each name to what its listeners get. */
export interface Emitter<Events extends object> {
  /** Calls `listener` for each event until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void;
  /** Takes all listeners away. */
  clear(): void;
}

type Listener = (event: never) => void;

export function createEmitter<Events extends object>(): Emitter<Events> {
  const listeners = new Map<keyof Events, Set<Listener>>();
  return {
    on(name, listener) {
      const set = listeners.get(name) ?? new Set<Listener>();
      listeners.set(name, set);
      set.add(listener);
      return () => void set.delete(listener);
    },
    emit(name, event) {
      // The set under a name holds listeners of that name's event only: `on` is the one way in.
      for (const listener of Array.from(listeners.get(name) ?? [])) listener(event as never);
    },
    clear() {
      listeners.clear();
    },
  };
}
