import "@cidcast/player";
import { passTokenOn } from "../shared/access.ts";
import { CidHeader } from "../shared/header.ts";
import { CidLibrary } from "./library.ts";

passTokenOn();
customElements.define("cid-header", CidHeader);
customElements.define("cid-library", CidLibrary);
