import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";

/** Where the API's documentation is served; its OpenAPI document is at `/json` below. */
const DOCS_PREFIX = "/api/docs";

/** Collects the documentation of every route registered after it. */
export async function collectDocs(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "cidcast",
        version,
        description:
          "An IPFS media streaming node. Every error has the body `{error: {code, message}}`; branch on `code`.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }, {}],
    },
  });
}

/** Serves what {@link collectDocs} collected, with its own Content-Security-Policy: no inline scripts, nothing from elsewhere. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  app.addHook("onRoute", options => {
    options.config = { ...options.config, action: "pages:read" };
  });
  await app.register(swaggerUi, {
    routePrefix: DOCS_PREFIX,
    uiConfig: { deepLinking: false, validatorUrl: null },
    staticCSP: {
      "default-src": ["'self'"],
      "script-src": ["'self'"],
      "style-src": ["'self'", "'unsafe-inline'"],
      "img-src": ["'self'", "data:"],
      "object-src": ["'none'"],
      "base-uri": ["'none'"],
      "frame-ancestors": ["'none'"],
    },
  });
}
