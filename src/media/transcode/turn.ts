/** Filters, each `name` or `name=options`, that turn a picture clockwise by so many degrees; undefined for none. */
export function turnFilters(rotation: 0 | 90 | 180 | 270): readonly string[] | undefined {
  if (rotation === 90) return ["transpose=clock"];
  if (rotation === 180) return ["hflip", "vflip"];
  if (rotation === 270) return ["transpose=cclock"];
  return undefined;
}
