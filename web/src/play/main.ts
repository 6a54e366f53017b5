import "@cidcast/player";
import { passTokenOn } from "../shared/access.ts";
import { CidHeader } from "../shared/header.ts";
import { CidPlayPage } from "./play-page.ts";

passTokenOn();
customElements.define("cid-play-page", CidPlayPage);
customElements.define("cid-header", CidHeader);
