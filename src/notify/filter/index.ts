export { equalityFilter, type Predicate } from "./equality.ts";
export { compileFilter } from "./expression.ts";
