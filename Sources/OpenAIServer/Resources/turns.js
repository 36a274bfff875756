// The turns of a conversation on the page: questions that can be edited, answers that can be had again.

import { button, byId, make } from "./elements.js";
import { Answer } from "./answer.js";
import { compared, verdict } from "./comparison.js";

/** Shows the current conversation; what is done with its turns goes to `actions`. */
export class Turns {
  /**
   * @param {object} conversations
   * @param {{ view, isRunning, body, changed, regenerate, resume, edit }} actions
   */
  constructor(conversations, actions) {
    Object.assign(this, { conversations, actions });
    this.answers = [];    // views that are on the page
  }

  /** Shows all of it anew. */
  show() {
    const conversation = this.conversations.current;
    const path = this.conversations.path(conversation);
    this.answers = [];
    byId("welcome").hidden = path.length > 0;
    byId("turns").replaceChildren(...path.map((turn, place) => (turn.role === "user" ? this.question(conversation, turn) : this.answer(conversation, turn, path[place - 1], place === path.length - 1))));
    byId("column").classList.toggle("wide", path.some((turn) => turn.answers?.length > 1));
  }

  /** Shows the answers in another view. */
  redraw() { for (const answer of this.answers) answer.draw(); }

  question(conversation, turn) {
    const element = make("article", { class: `turn asked-turn ${conversation.mode}`, "aria-label": "Question", "data-turn": turn.id });
    const bubble = make("p", { class: "asked" }, turn.text);
    const edit = button({ symbol: "edit", description: "Edit this message", action: () => this.edit(element, turn) });
    edit.classList.add("edit");
    element.append(make("div", { class: "asked-row" }, edit, bubble), (conversation.mode === "chat" && this.switcher(conversation, turn)) || "");
    return element;
  }

  /** A field in place of a question. Sending it begins a new branch. */
  edit(element, turn) {
    if (this.actions.isRunning()) return;
    const before = [...element.children];
    const field = make("textarea", { rows: "3", "aria-label": "Edited message" });
    field.value = turn.text;
    const restore = () => { element.replaceChildren(...before); element.classList.remove("editing"); element.querySelector(".edit").focus(); };
    const submit = () => { if (field.value.trim() !== "") this.actions.edit(turn, field.value); };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); restore(); }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && matchMedia("(hover: hover)").matches) { event.preventDefault(); submit(); }
    });
    element.classList.add("editing");
    element.replaceChildren(field, make("div", { class: "edit-row" },
      make("span", { class: "quiet" }, "The answers so far stay in a branch of their own."),
      button({ label: "Cancel", kind: "", action: restore }), button({ label: "Send", kind: "primary", action: submit })));
    field.style.height = `${Math.min(field.scrollHeight + 4, innerHeight * 0.4)}px`;
    field.focus();
  }

  /** "‹ 2 of 3 ›" where a turn has others beside it. */
  switcher(conversation, turn, label = "Branches") {
    const branches = this.conversations.branches(conversation, turn);
    if (branches.length < 2) return null;
    const place = branches.indexOf(turn);
    const step = (symbol, description, to) => {
      const element = button({ symbol, description, action: () => {
        this.conversations.choose(conversation, branches[to]);
        this.show();
        byId("turns").querySelector(`[data-turn="${branches[to].id}"] .switcher button:not(:disabled)`)?.focus({ preventScroll: true });
      } });
      element.disabled = to < 0 || to >= branches.length;
      return element;
    };
    return make("div", { class: "switcher", role: "group", "aria-label": label },
      step("previous", "Previous branch", place - 1), make("span", {}, `${place + 1} of ${branches.length}`), step("next", "Next branch", place + 1));
  }

  answer(conversation, turn, question, isLast) {
    const given = conversation.mode === "completion" ? question?.text ?? "" : "";
    const pair = turn.answers.length > 1;
    const views = turn.answers.map((record, place) => Answer.of(record, {
      title: pair ? ["With speculation", "Without"][place] : "Answer", given, view: this.actions.view,
      body: () => this.actions.body(conversation, turn, record), changed: () => this.actions.changed(conversation),
    }));
    this.answers.push(...views);
    for (const view of views) view.draw();
    const element = make("article", { class: "turn", "aria-label": pair ? "Two answers" : "Answer", "data-turn": turn.id });
    const isOver = turn.answers.every((record) => !["running", "waiting"].includes(record.state));
    if (pair && isOver) {
      const found = compared(...turn.answers);
      element.append(verdict(found, ...turn.answers));
      if (found.difference >= 0) for (const view of views) view.text.spanOf(found.difference)?.classList.add("first-difference");
    }
    element.append(make("div", { class: `answers${pair ? " two" : ""}` }, ...views.map((view) => view.element)));
    if (!isOver) return element;
    const actions = make("div", { class: "turn-actions" }, this.switcher(conversation, turn), pair ? null : views[0].actions,
      button({ symbol: "again", label: "Regenerate", description: "Ask for another answer, in a branch of its own", action: () => this.actions.regenerate(turn) }));
    if (isLast && canGoOn(turn.answers)) {
      actions.append(button({ symbol: "next", label: "Continue", description: "Go on with this answer where it ended", action: () => this.actions.resume(turn) }));
    }
    if (conversation.mode === "completion" && question) {
      actions.append(button({ symbol: "edit", label: "Edit prompt", description: "Edit the prompt", action: () => {
        this.edit(byId("turns").querySelector(`[data-turn="${question.id}"]`), question);
      } }));
      // Prompts are shown within their answers, and so are their branches.
      const prompts = this.switcher(conversation, question, "Branches of the prompt");
      if (prompts) actions.append(prompts);
    }
    element.append(actions);
    return element;
  }
}

/** Whether an answer was ended by something else than the model. */
const canGoOn = ([record, ...others]) => !others.length && record.content !== "" && !record.calls.length
  && (["stopped", "cut"].includes(record.state) || (record.state === "failed") || record.reason === "length");
