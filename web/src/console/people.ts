import { el } from "@cidcast/player";
import { copyButton } from "../shared/copy-button.ts";
import { type AdminApi, type Json, listOf, numberOf, objectOf, textOf } from "./admin-api.ts";
import { chart } from "./chart.ts";
import { button, field, form, panel, table, when } from "./parts.ts";

/** Hours that the chart of calls shows. */
const HOURS = 24;
const HOUR_MS = 3_600_000;

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
  const made = el("div", { attributes: { role: "status" } });
  const chosen = el("select", { attributes: { "aria-label": "Tenant" }, on: { change: () => act() } });
  const scopes = el("div", { class: "scopes" });

  const act = (work: () => Promise<unknown> = async () => {}): void => {
    work().then(refresh).catch(ask.tell);
  };
  const end = (question: string, path: string): void => {
    if (ask.confirm(question)) act(() => api.remove(path));
  };
  const refresh = async (): Promise<void> => {
    const all = listOf((await api.get("tenants"))["tenants"]);
    showTenants(all);
    choose(all.filter(tenant => tenant["is_active"] === true));
    const id = chosen.value;
    const of = `tenant_id=${encodeURIComponent(id)}`;
    const none: Json = {};
    const [tokenList, stored, board, analytics] = await Promise.all([
      id === "" ? none : api.get(`tokens?${of}`),
      id === "" ? none : api.get(`credentials?${of}`),
      id === "" ? none : api.get(`dashboard/${encodeURIComponent(id)}`),
      api.get("analytics"),
    ]);
    showTokens(listOf(tokenList["tokens"]));
    showCredentials(listOf(stored["credentials"]));
    showCalls(listOf(board["recent_calls"]));
    usage.replaceChildren(...usageOf(analytics));
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
      panel("Use over the last day", [usage], { wide: true }),
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

function usageOf(analytics: Json): HTMLElement[] {
  const byHour = new Map(
    listOf(analytics["series"]).map(step => [Date.parse(textOf(step["at"])), step] as const),
  );
  const last = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const hours = Array.from({ length: HOURS }, (_, index) => last - (HOURS - 1 - index) * HOUR_MS);
  const points = hours.map(at => ({ at, value: numberOf(byHour.get(at)?.["calls"]) }));
  const total = points.reduce((sum, point) => sum + point.value, 0);
  const errors = [...byHour.values()].reduce((sum, step) => sum + numberOf(step["errors"]), 0);
  const words = `${total} tool call${total === 1 ? "" : "s"}, ${errors} failed`;
  const tools = Object.entries(objectOf(analytics["by_tool"]))
    .map(([tool, counts]): Json => ({ tool, ...objectOf(counts) }))
    .toSorted((a, b) => numberOf(b["calls"]) - numberOf(a["calls"]))
    .map(counts => [
      textOf(counts["tool"]),
      String(numberOf(counts["calls"])),
      String(numberOf(counts["errors"])),
    ]);
  return [
    el("figure", {}, [
      chart(points, "bars", `${words} in the last day, by hour`),
      el("figcaption", { text: words }),
    ]),
    el("h3", { text: "By tool, ever" }),
    table("Tools", ["Tool", "Calls", "Failed"], tools),
  ];
}
