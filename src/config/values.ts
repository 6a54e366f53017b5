import { z } from "zod";

export const httpUrl = z.string().regex(/^https?:\/\/[^/]/, "has to be an http or https address");
export const milliseconds = z.number().int().positive();
