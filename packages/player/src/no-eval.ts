import { config } from "zod";

// Checked schemas can be compiled with `new Function`, which strict content security policies forbid and report. This has
// to be said before the first schema is made, so this module is imported before all others.
config({ jitless: true });
