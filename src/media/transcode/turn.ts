/** How pictures lie: turned clockwise by so many degrees, then mirrored left to right. */
export interface Position {
  readonly rotation: 0 | 90 | 180 | 270;
  readonly mirrored: boolean;
}

const TURNS = { 0: [], 90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"] } as const;

/** Filters, each `name` or `name=options`, that bring a picture into its position; undefined for none. */
export function turnFilters({ rotation, mirrored }: Position): readonly string[] | undefined {
  const filters = mirrored ? [...TURNS[rotation], "hflip"] : TURNS[rotation];
  return filters.length === 0 ? undefined : filters;
}
