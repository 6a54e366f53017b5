import { droppedFiles } from "./dropped-files.ts";

/** Takes files that are dropped anywhere on the page; marks `marked` with the class `dropping` while they hover. */
export function watchDrops(
  marked: HTMLElement,
  onFiles: (files: readonly File[]) => void,
  signal: AbortSignal,
): void {
  let depth = 0;
  const mark = (): void => void marked.classList.toggle("dropping", depth > 0);
  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

  addEventListener(
    "dragenter",
    event => {
      if (!carriesFiles(event)) return;
      depth += 1;
      mark();
    },
    { signal },
  );
  addEventListener(
    "dragleave",
    event => {
      if (!carriesFiles(event)) return;
      depth = Math.max(0, depth - 1);
      mark();
    },
    { signal },
  );
  addEventListener(
    "dragover",
    event => {
      // Without this the browser would open the file in place of the page.
      if (carriesFiles(event)) event.preventDefault();
    },
    { signal },
  );
  addEventListener(
    "drop",
    event => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth = 0;
      mark();
      if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(onFiles);
    },
    { signal },
  );
}
