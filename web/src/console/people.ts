import { el } from "@cidcast/player";
import { copyButton } from "../shared/copy-button.ts";
import { type AdminApi, type Json, listOf, numberOf, objectOf, textOf } from "./admin-api.ts";
import { chart, type Point } from "./chart.ts";
import { button, field, form, panel, table, when } from "./parts.ts";

/** How far back the charts of calls may go, by days. */
const RANGES: readonly (readonly [string, string])[] = [
  ["1", "last day"],
  ["7", "last 7 days"],
  ["30", "last 30 days"],
];
const DAY_MS = 86_400_000;
/** Characters of an error that are shown. */
const MAX_ERROR_CHARS = 200;

/** Who may use the node, and what they did: tenants, tokens, credentials and tool calls. */
export interface PeoplePanels {
  readonly elements: readonly HTMLElement[];
  refresh(): Promise<void>;
}

/** `tell` shows a message; `confirm` asks before something ends. */
export function peoplePanels(
  api: AdminApi,
  ask: { readonly tell: (error: unknown) => void; readonly confirm: (question: string) => boolean },
): PeoplePanels {
  const tenants = el("div", {});
  const tokens = el("div", {});
  const credentials = el("div", {});
  const calls = el("div", {});
  const usage = el("div", {});
  const range = el(
    "select",
    { attributes: { "aria-label": "Time" }, on: { change: () => act() } },
    RANGES.map(([value, text]) => el("option", { text, attributes: { value } })),
  );
  const made = el("div", { attributes: { role: "status" } });
  const chosen = el("select", { attributes: { "aria-label": "Tenant" }, on: { change: () => act() } });
  const scopes = el("div", { class: "scopes" });

  const act = (work: () => Promise<unknown> = async () => {}): void => {
    work().then(refresh).catch(ask.tell);
  };
  const end = (question: string, path: string): void => {
    if (ask.confirm(question)) act(() => api.remove(path));
  };
  /** Every page of them. */
  const allTenants = async (): Promise<Json[]> => {
    const all: Json[] = [];
    for (let path = "tenants"; ; ) {
      const page = await api.get(path);
      all.push(...listOf(page["tenants"]));
      const next = page["next_after"];
      if (typeof next !== "string") return all;
      path = `tenants?after=${encodeURIComponent(next)}`;
    }
  };
  const refresh = async (): Promise<void> => {
    const all = await allTenants();
    showTenants(all);
    choose(all.filter(tenant => tenant["is_active"] === true));
    const id = chosen.value;
    const of = `tenant_id=${encodeURIComponent(id)}`;
    const none: Json = {};
    const [tokenList, stored, board, analytics] = await Promise.all([
      id === "" ? none : api.get(`tokens?${of}`),
      id === "" ? none : api.get(`credentials?${of}`),
      id === "" ? none : api.get(`dashboard/${encodeURIComponent(id)}`),
      api.get(`analytics?days=${range.value}`),
    ]);
    showTokens(listOf(tokenList["tokens"]));
    showCredentials(listOf(stored["credentials"]));
    showCalls(listOf(board["recent_calls"]));
    usage.replaceChildren(...usageOf(analytics, Number(range.value)));
    if (scopes.childElementCount === 0) showScopes(listOf((await api.get("scopes"))["scopes"]));
  };

  const choose = (active: readonly Json[]): void => {
    const before = chosen.value;
    const ids = active.map(tenant => textOf(tenant["tenant_id"]));
    if ([...chosen.options].map(option => option.value).join() === ids.join()) return;
    chosen.replaceChildren(
      ...active.map(tenant =>
        el("option", { text: textOf(tenant["name"]), attributes: { value: textOf(tenant["tenant_id"]) } }),
      ),
    );
    if (ids.includes(before)) chosen.value = before;
  };
  const showTenants = (all: readonly Json[]): void => {
    const rows = all.map(tenant => {
      const name = textOf(tenant["name"]);
      const path = `tenants/${encodeURIComponent(textOf(tenant["tenant_id"]))}`;
      const question = `Switch off ${name} and all its tokens?`;
      return [
        name,
        tenant["is_active"] === true ? "active" : "off",
        String(numberOf(tenant["token_count"])),
        String(numberOf(tenant["session_count"])),
        when(tenant["created_at"]),
        tenant["is_active"] === true
          ? button("Switch off", `Switch off ${name}`, () => end(question, path))
          : "",
      ];
    });
    tenants.replaceChildren(table("Tenants", ["Name", "State", "Tokens", "Sessions", "Since", ""], rows));
  };
  const showTokens = (list: readonly Json[]): void => {
    const rows = list.map(token => {
      const shown = textOf(token["token"]);
      const path = `tokens/${encodeURIComponent(textOf(token["id"]))}`;
      return [
        el("code", { text: shown }),
        token["is_active"] === true ? "active" : "off",
        Array.isArray(token["scopes"]) ? token["scopes"].map(textOf).join(", ") || "none" : "",
        token["expires_at"] === null ? "does not expire" : when(token["expires_at"]),
        when(token["last_used"]),
        token["is_active"] === true
          ? button("Revoke", `Revoke token ${shown}`, () => end(`Revoke the token ${shown}?`, path))
          : "",
      ];
    });
    tokens.replaceChildren(table("Tokens", ["Token", "State", "Scopes", "Until", "Last used", ""], rows));
  };
  const showCredentials = (list: readonly Json[]): void => {
    const rows = list.map(credential => {
      const name = `${textOf(credential["tool_name"])} ${textOf(credential["credential_key"])}`;
      const path = `credentials/${encodeURIComponent(textOf(credential["id"]))}`;
      return [
        textOf(credential["tool_name"]),
        textOf(credential["credential_key"]),
        when(credential["updated_at"]),
        button("Remove", `Remove ${name}`, () => end(`Remove the credential ${name}?`, path)),
      ];
    });
    credentials.replaceChildren(table("Credentials", ["Tool", "Key", "Stored", ""], rows));
  };
  const showCalls = (list: readonly Json[]): void => {
    const rows = list.map(call => [
      textOf(call["tool_name"]),
      call["success"] === true ? "done" : "failed",
      when(call["created_at"]),
    ]);
    calls.replaceChildren(table("Tool calls", ["Tool", "Result", "At"], rows));
  };
  const showScopes = (list: readonly Json[]): void => {
    const names = list.map(scope => textOf(scope["name"])).filter(name => name !== "none");
    scopes.replaceChildren(
      ...names.map(name =>
        el("label", {}, [el("input", { attributes: { type: "checkbox", value: name } }), name]),
      ),
    );
  };

  const name = field("Name", { required: "", maxlength: "200" });
  const days = field("Days", { type: "number", min: "1", max: "3650", value: "30", required: "" });
  const tool = field("Tool", { required: "", maxlength: "128" });
  const key = field("Key", { required: "", maxlength: "128" });
  const value = field("Value", { type: "password", required: "", maxlength: "16384" });
  const send = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      await refresh();
    } catch (error) {
      ask.tell(error);
    }
  };
  const createTenant = form("New tenant", [name.element], {
    submit: "Create tenant",
    onSubmit: () => send(async () => void (await api.post("tenants", { name: name.input.value }))),
  });
  const createToken = form("New token", [days.element, scopes], {
    submit: "Create token",
    onSubmit: () =>
      send(async () => {
        const wanted = [...scopes.querySelectorAll("input")].filter(box => box.checked);
        const answer = await api.post("tokens", {
          tenant_id: chosen.value,
          scopes: wanted.map(box => box.value),
          expires_in_days: Number(days.input.value),
        });
        showToken(made, textOf(objectOf(answer["token_info"])["token"]));
      }),
  });
  const storeCredential = form("New credential", [tool.element, key.element, value.element], {
    submit: "Store credential",
    onSubmit: () =>
      send(async () => {
        await api.post("credentials", {
          tenant_id: chosen.value,
          tool_name: tool.input.value,
          credential_key: key.input.value,
          credential_value: value.input.value,
        });
      }),
  });
  return {
    elements: [
      panel("Tenants", [tenants, createTenant], { wide: true }),
      panel(
        "Tool calls of all",
        [el("label", { class: "field" }, [el("span", { text: "Over the" }), range]), usage],
        {
          wide: true,
        },
      ),
      panel(
        "Tokens and credentials of a tenant",
        [
          el("label", { class: "field" }, [el("span", { text: "Tenant" }), chosen]),
          el("h3", { text: "Tokens" }),
          tokens,
          made,
          createToken,
          el("h3", { text: "Credentials" }),
          credentials,
          storeCredential,
          el("h3", { text: "Last tool calls" }),
          calls,
        ],
        { wide: true },
      ),
    ],
    refresh,
  };
}

function showToken(place: HTMLElement, token: string): void {
  place.replaceChildren(
    el("div", { class: "notice" }, [
      el("strong", { text: "The new token, shown only now:" }),
      el("code", { class: "new-token", text: token }),
      copyButton("Copy", "Copy the new token", token),
    ]),
  );
}

function usageOf(analytics: Json, days: number): HTMLElement[] {
  const stepMs = numberOf(analytics["step_seconds"]) * 1000;
  const byStep = new Map(
    listOf(analytics["series"]).map(step => [Date.parse(textOf(step["at"])), step] as const),
  );
  const last = Math.floor(Date.now() / stepMs) * stepMs;
  const count = Math.round((days * DAY_MS) / stepMs);
  const steps = Array.from({ length: count }, (_, index) => last - (count - 1 - index) * stepMs);
  const of = (what: string): Point[] => steps.map(at => ({ at, value: numberOf(byStep.get(at)?.[what]) }));
  const total = (points: readonly Point[]): number => points.reduce((sum, { value }) => sum + value, 0);
  const [calls, errors] = [of("calls"), of("errors")];
  const called = `${total(calls)} tool call${total(calls) === 1 ? "" : "s"}`;
  const failed = `${total(errors)} failed`;
  const tools = Object.entries(objectOf(analytics["by_tool"]))
    .map(([tool, counts]): Json => ({ tool, ...objectOf(counts) }))
    .toSorted((a, b) => numberOf(b["calls"]) - numberOf(a["calls"]))
    .map(counts => [
      textOf(counts["tool"]),
      String(numberOf(counts["calls"])),
      String(numberOf(counts["errors"])),
    ]);
  const recent = listOf(analytics["recent"]).map(call => [
    textOf(call["tool_name"]),
    textOf(call["tenant"]) || "owner",
    textOf(call["error"]) === "" ? "done" : `failed: ${textOf(call["error"]).slice(0, MAX_ERROR_CHARS)}`,
    `${Math.round(numberOf(call["duration_ms"]))} ms`,
    when(call["created_at"]),
  ]);
  return [
    el("div", { class: "charts" }, [
      figure(calls, `${called}, ${failed}`, "Tool calls"),
      figure(errors, failed, "Failed tool calls"),
    ]),
    el("h3", { text: "By tool, ever" }),
    table("Tools", ["Tool", "Calls", "Failed"], tools),
    el("h3", { text: "Last tool calls of all" }),
    table("Last calls", ["Tool", "Who", "Result", "Took", "At"], recent),
  ];
}

function figure(points: readonly Point[], words: string, what: string): HTMLElement {
  return el("figure", {}, [
    chart(points, "bars", `${what} over time: ${words}`),
    el("figcaption", { text: words }),
  ]);
}
