import { CidcastError } from "../../core/index.ts";
import { MAX_NAME_BYTES } from "../limits.ts";

/** Checks the name of a pin: any text, `""` included, as long as a file name. */
export function checkPinName(name: string): void {
  if (name.length > MAX_NAME_BYTES || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new CidcastError("INVALID_REQUEST", `The name of a pin has at most ${MAX_NAME_BYTES} bytes`);
  }
}
