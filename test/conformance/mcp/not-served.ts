/** Scenarios that are run and not scored, and why the server does not pass them. One that passes has to go from here. */
export const NOT_SERVED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      "tasks-lifecycle",
      "tasks-capability-negotiation",
      "tasks-wire-fields",
      "tasks-request-state-removal",
      "tasks-mrtr-input",
      "tasks-request-headers",
      "tasks-dispatch-and-envelope",
      "tasks-required-task-error",
      "tasks-mrtr-composition",
    ].map(name => [name, "Tasks are an extension of the protocol that this server does not offer"]),
  ),
  "http-custom-header-server-validation":
    "No tool asks for its arguments in header fields (x-mcp-header), so there is none to check",
};
