// One answer: what came, how it is shown, and asking for it.

import { copyButton, duration, icon, make } from "./elements.js";
import { Figures } from "./figures.js";
import { Problem, curl, events, send, sentence } from "./server.js";
import { CALL, CONTENT, THOUGHT, tokensOf } from "./tokens.js";
import { TokenText } from "./text.js";

/** A record of an answer that nothing has come of yet: plain data, which is stored with its conversation. */
export function newRecord(path, parameters, note) {
  return { path, parameters, note, state: "waiting", content: "", thought: "", calls: [], tokens: [], seconds: 0 };
}

/** Views of records, so that an answer that is coming is found again when its conversation is looked at again. */
const views = new WeakMap();

export class Answer {
  /** The view of a record. */
  static of(record, options) {
    let view = views.get(record);
    if (!view) { view = new Answer(record, options); views.set(record, view); }
    return view;
  }

  /**
   * @param {object} record
   * @param {{ title: string, given: string, view: () => string, body: () => object, changed: () => void }} options
   */
  constructor(record, { title, given, view, body, changed }) {
    Object.assign(this, { record, given, view, body, changed });
    this.note = make("span", { class: "note" });
    this.title = make("h3", {}, title);
    this.text = new TokenText(record.tokens, CONTENT, {
      rendersMarkdown: record.path.includes("chat"), given, label: "Text of the answer. Arrow keys go from token to token." });
    this.thoughts = new TokenText(record.tokens, THOUGHT, { rendersMarkdown: true, label: "The thought. Arrow keys go from token to token." });
    this.thinkingLabel = make("span", {}, "Thinking");
    this.thinking = make("details", { class: "thinking", hidden: true }, make("summary", {}, icon("thought"), this.thinkingLabel), this.thoughts.element);
    this.calls = make("div", { class: "calls" });
    this.ended = make("p", { class: "ended" });
    this.problems = make("div", { class: "problems" });
    this.waiting = make("p", { class: "waiting" }, make("i"), make("i"), make("i"), make("span", { class: "unseen" }, "Waiting"));
    this.figures = new Figures(record);
    this.actions = make("div", { class: "actions" },
      copyButton({ label: "Copy", description: "Copy the answer’s text", text: () => record.content }),
      copyButton({ symbol: "code", label: "curl", description: "Copy as a curl command", text: () => curl(record.path, this.body()) }));
    this.element = make("section", { class: "answer", "aria-label": title },
      make("div", { class: "answer-head" }, this.title, this.note),
      this.thinking, this.waiting, this.text.element, this.calls, this.ended, this.problems, this.figures.element, this.actions);
    this.draw();
  }

  get isRunning() { return this.record.state === "running"; }

  /** Asks, and shows what comes until the end. What was there already is gone on with. */
  async stream(body, signal) {
    const { record } = this;
    Object.assign(record, { state: "running", problem: undefined, warning: undefined, reason: undefined });
    const [started, before] = [performance.now(), record.seconds];
    this.clock = () => before + (performance.now() - started) / 1000;
    this.opened = null;
    this.draw();
    try {
      const response = await send(record.path, { body, signal });
      const warning = response.headers.get("X-Foretoken-Warning");
      if (warning) record.warning = sentence(warning);
      for await (const event of events(response)) this.receive(event);
      record.state = "finished";
    } catch (error) {
      // A page that is being left loses its connections first: what is stored then must not say that the server failed.
      if (error instanceof Problem) await new Promise((done) => setTimeout(done, 300));
      record.state = error.name === "AbortError" ? "stopped" : "failed";
      if (record.state === "failed") record.problem = error instanceof Problem ? error.message : `The page made a mistake: ${error.message}`;
    }
    this.draw();
    this.changed();
  }

  receive(event) {
    const { record } = this;
    if (event.error) throw new Problem(sentence(event.error.message ?? "The server gave up"));
    const choice = event.choices?.[0];
    if (choice) this.receiveChoice(choice);
    if (event.usage) record.usage = event.usage;
    if (event.metrics?.speculative_decoding) record.speculation = event.metrics.speculative_decoding;
    this.schedule();
    this.changed();
  }

  receiveChoice(choice) {
    const { record } = this;
    const delta = choice.delta ?? {};
    const thought = delta.reasoning_content ?? delta.reasoning ?? "";
    const said = delta.content ?? choice.text ?? "";
    for (const call of delta.tool_calls ?? []) this.receiveCall(call);
    const part = thought ? THOUGHT : said ? CONTENT : delta.tool_calls ? CALL : record.content ? CONTENT : record.thought ? THOUGHT : CONTENT;
    const tokens = tokensOf(choice, thought || said, part);
    // Text that was held back comes at the end without a token.
    if (!tokens.length && (thought || said)) tokens.push({ t: thought || said, p: part, o: "target", x: 1 });
    // An event with both ends the thought.
    if (thought && said) tokens.push({ t: said, p: CONTENT, o: tokens[0].o, x: 1 });
    record.tokens.push(...tokens);
    record.thought += thought;
    record.content += said;
    if (tokens.some((token) => !token.x)) {
      record.seconds = this.clock();
      record.firstSeconds ??= record.seconds;
    }
    if (thought) {
      record.thoughtSeconds = record.seconds;
    }
    if (choice.finish_reason) record.reason = choice.finish_reason;
  }

  receiveCall(call) {
    const { calls } = this.record;
    const own = (calls[call.index] ??= { name: "", arguments: "" });
    if (call.id) own.id = call.id;
    own.name += call.function?.name ?? "";
    own.arguments += call.function?.arguments ?? "";
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  /** Brings the page up to date with the record. */
  draw() {
    const { record } = this;
    const thread = this.element.closest(".thread");
    const follows = thread && thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
    const view = this.view();
    const isRunning = this.isRunning;
    this.element.classList.toggle("running", isRunning);
    if (isRunning || record.state === "waiting") this.element.setAttribute("aria-busy", "true"); else this.element.removeAttribute("aria-busy");
    this.note.textContent = record.note;
    this.ended.textContent = record.state === "finished" && record.reason === "length" ? "The token limit was reached." : ENDINGS[record.state] ?? "";
    this.ended.hidden = this.ended.textContent === "";
    this.waiting.hidden = !(record.state === "waiting" || (isRunning && !record.tokens.length));
    this.drawThinking(view, isRunning);
    this.text.element.hidden = record.content === "" && !this.given && record.calls.length + record.thought.length > 0 || (record.content === "" && !isRunning && !this.given);
    this.text.update(view);
    this.drawCalls();
    this.problems.replaceChildren(...[record.problem ? ["problem", "alert", record.problem] : null, record.warning ? ["warning", "note", record.warning] : null]
      .filter(Boolean).map(([kind, role, text]) => make("p", { class: kind, role }, icon("alert"), make("span", {}, text))));
    this.actions.hidden = isRunning || record.state === "waiting";
    this.figures.update();
    if (follows) thread.scrollTop = thread.scrollHeight;
  }

  /** Open while the model thinks; folded once it speaks, unless the reader has said otherwise. */
  drawThinking(view, isRunning) {
    const { record } = this;
    this.thinking.hidden = record.thought === "";
    if (record.thought === "") return;
    const thinks = isRunning && record.content === "" && !record.calls.length;
    if (this.opened !== thinks) { this.thinking.open = thinks; this.opened = thinks; }
    this.thinkingLabel.textContent = thinks ? "Thinking…" : `Thought for ${duration(record.thoughtSeconds ?? 0)}`;
    this.thoughts.update(view);
  }

  drawCalls() {
    const { calls } = this.record;
    this.calls.hidden = calls.length === 0;
    this.calls.replaceChildren(...calls.filter(Boolean).map((call) => make("div", { class: "call" },
      make("p", {}, icon("tool"), "Calls ", make("code", {}, call.name || "…")),
      make("pre", { tabindex: "0", role: "region", "aria-label": `Arguments of ${call.name}` }, formatted(call.arguments)))));
  }
}

const ENDINGS = { stopped: "Stopped.", cut: "Cut off when the page was closed.", skipped: "Not run." };

/** JSON with line breaks; what is not JSON yet as it is. */
function formatted(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}
