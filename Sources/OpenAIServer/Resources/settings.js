// Settings: of the conversation (sampling, speculation, system prompt) and of the reader (view, colours, key).

import { byId, stored } from "./elements.js";
import { Problem, send } from "./server.js";
import { VIEWS } from "./text.js";

const NUMBERS = ["temperature", "top_p", "min_p", "top_k", "seed", "max_tokens", "window"];
const TEXTS = ["stop_strings", "system", "tools"];

export const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
function choose(name, value) {
  const field = document.querySelector(`input[name="${name}"][value="${CSS.escape(value)}"]`);
  if (field) field.checked = true;
}

export class Settings {
  constructor() {
    this.onChange = () => {};
    this.onView = () => {};
    this.model = null;
    const form = byId("parameters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      const target = event.target;
      if (target.dataset.for) byId(target.dataset.for).value = target.value;
      this.sync();
      if (target.id !== "key") this.onChange(this.values());
    });
    byId("reset").addEventListener("click", () => { this.show({}); this.onChange(this.values()); });
    for (const field of document.querySelectorAll('input[name="view"]')) {
      field.addEventListener("change", () => this.setView(field.value));
    }
    this.setView(stored("localStorage", "foretoken-view") ?? "colours");
  }

  // MARK: View

  get view() { return chosen("view"); }
  setView(view) {
    choose("view", VIEWS.includes(view) ? view : "colours");
    stored("localStorage", "foretoken-view", this.view);
    this.onView();
  }

  // MARK: Of the conversation

  /** What is set, as it is stored: fields that are as they were at the beginning are left out. */
  values() {
    const values = {};
    for (const id of [...NUMBERS, ...TEXTS]) if (byId(id).value !== byId(id).defaultValue) values[id] = byId(id).value;
    if (byId("method").value !== "") values.method = byId("method").value;
    if (chosen("thinking") !== "") values.thinking = chosen("thinking");
    if (byId("probabilities").checked) values.probabilities = true;
    return values;
  }

  show(values) {
    for (const id of [...NUMBERS, ...TEXTS]) byId(id).value = values[id] ?? byId(id).defaultValue;
    byId("method").value = [...byId("method").options].some((option) => option.value === values.method) ? values.method : "";
    choose("thinking", values.thinking ?? "");
    byId("probabilities").checked = values.probabilities === true;
    this.sync();
  }

  /** Sliders stand where their numbers do; without one, where the model's own is. */
  sync() {
    for (const slider of document.querySelectorAll("[data-for]")) {
      const field = byId(slider.dataset.for);
      slider.value = field.value || field.placeholder || field.dataset.rest || slider.min;
    }
    byId("window-row").hidden = byId("method").value === "off" || byId("method").options.length <= 1;
  }

  showMode(mode) { for (const element of document.querySelectorAll(".chat-only")) element.hidden = mode !== "chat" || (element.id === "thinking-group" && !this.thinks); }

  // MARK: Of a request

  number(id) {
    const field = byId(id);
    if (field.validity.badInput) throw new Problem(`“${labelOf(id)}” is not a number.`);
    return field.value.trim() === "" ? undefined : Number(field.value);
  }

  speculation() {
    const method = byId("method").value;
    if (method === "off") return { enabled: false };
    const window = this.number("window");
    if (method === "" && window === undefined) return undefined;
    return { method: method || undefined, num_speculative_tokens: window };
  }

  /** The request's body without the prompt; what is not set is left out. */
  body(mode) {
    const stops = byId("stop_strings").value.split("\n").filter((line) => line !== "");
    const body = {
      model: byId("model").value,
      temperature: this.number("temperature"), top_p: this.number("top_p"), top_k: this.number("top_k"), min_p: this.number("min_p"),
      max_tokens: this.number("max_tokens"), seed: this.number("seed"), stop: stops.length ? stops : undefined,
      stream: true, stream_options: { include_usage: true },
      return_token_ids: true, return_token_origins: true, return_token_proposals: true, speculative: this.speculation(),
    };
    const wantsProbabilities = byId("probabilities").checked;
    if (mode === "completion") return { ...body, logprobs: wantsProbabilities ? 5 : undefined };
    if (wantsProbabilities) Object.assign(body, { logprobs: true, top_logprobs: 5 });
    if (chosen("thinking") && this.thinks) body.chat_template_kwargs = { enable_thinking: chosen("thinking") === "on" };
    const tools = byId("tools").value.trim();
    if (tools) {
      try { body.tools = JSON.parse(tools); } catch { throw new Problem("“Tools” is not JSON."); }
      if (!Array.isArray(body.tools)) throw new Problem("“Tools” is not a list of functions.");
    }
    return body;
  }

  // MARK: What the server has

  /** Fits the fields to a model: what its makers suggest stands grey in them, methods are those that are loaded. */
  showModel(model) {
    for (const id of ["temperature", "top_p", "min_p", "top_k"]) {
      byId(id).placeholder = String(model?.default_sampling_params?.[id] ?? byId(id).dataset.rest);
    }
    const served = model?.served ?? {};
    const methods = (served.methods ?? (served.speculation === "none" ? "" : served.speculation) ?? "").split(", ").filter(Boolean);
    const before = byId("method").value;
    const options = methods.length ? [["", "As served"], ...(methods.length > 1 ? methods.map((name) => [name, name]) : []), ["off", "Off"]] : [["", "None here"]];
    byId("method").replaceChildren(...options.map(([value, label]) => Object.assign(document.createElement("option"), { value, textContent: label })));
    byId("method").value = options.some(([value]) => value === before) ? before : "";
    byId("method").disabled = methods.length === 0;
    byId("compare").hidden = byId("compare-hint").hidden = methods.length === 0;
    this.sync();
  }

  /** Whether the model's template can switch thinking. */
  async readTemplate() {
    try {
      const template = (await (await send("/tokenizer_info")).json()).chat_template;
      this.thinks = JSON.stringify(template ?? "").includes("enable_thinking");
    } catch { this.thinks = false; }
  }
}

const labelOf = (id) => document.querySelector(`label[for="${id}"]`).textContent;

export function speculationNote(value) {
  if (value === undefined) return "";
  if (value.enabled === false) return "no speculation";
  return [value.method, value.num_speculative_tokens === undefined ? null : `window ${value.num_speculative_tokens}`].filter(Boolean).join(", ");
}
