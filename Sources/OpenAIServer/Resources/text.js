// An answer's text: rendered Markdown, the same in its tokens' colours, or token by token.

import { make } from "./elements.js";
import { blocks } from "./markdown.js";
import { proposerClass, tokenCard } from "./tokens.js";

/** How texts are shown: `text` rendered, `colours` rendered with colours, `tokens` as they were written. */
export const VIEWS = ["text", "colours", "tokens"];

/** A text that grows, and knows which token each character is from. */
export class TokenText {
  /**
   * @param {object[]} tokens all tokens of the answer
   * @param {number} part which of them the text is made of
   * @param {{ rendersMarkdown: boolean, label: string, given?: string }} options
   */
  constructor(tokens, part, { rendersMarkdown, label, given = "" }) {
    Object.assign(this, { tokens, part, rendersMarkdown, given });
    this.source = "";
    this.starts = [];       // where in the source each token of the text begins
    this.indices = [];      // which token that is
    this.read = 0;
    this.shown = [];        // blocks on the page: { key, element }
    this.written = 0;       // how much of a text that is not rendered is on the page
    this.element = make("div", { class: "text", tabindex: "0", role: "group", "aria-label": label });
    this.listen();
  }

  /** Takes in the tokens that have come since, and shows them. */
  update(view) {
    for (; this.read < this.tokens.length; this.read += 1) {
      const token = this.tokens[this.read];
      if (token.p !== this.part || token.t === "") continue;
      this.starts.push(this.source.length);
      this.indices.push(this.read);
      this.source += token.t;
    }
    const style = view === "tokens" ? "raw" : this.rendersMarkdown ? "prose" : "plain";
    if (this.view !== view) {
      this.view = view;
      [this.shown, this.written] = [[], 0];
      this.element.replaceChildren();
      this.element.className = `text ${style}${view === "text" ? "" : " marked"}`;
    }
    if (style === "prose") this.render(this.source); else this.extend(this.source);
  }

  /** Rendered: blocks that are as they were stay. */
  render(text) {
    const parts = blocks(text);
    parts.forEach((part, place) => {
      const key = `${part.start}:${text.slice(part.start, part.end)}`;
      const old = this.shown[place];
      if (old?.key === key) return;
      const element = part.build((parent, start, end) => this.write(parent, text, start, end));
      if (old) old.element.replaceWith(element); else this.element.append(element);
      this.shown[place] = { key, element };
    });
    for (const { element } of this.shown.splice(parts.length)) element.remove();
  }

  /** As it was written: what is new is appended. */
  extend(text) {
    if (this.given && !this.element.firstChild) this.element.append(make("span", { class: "given" }, this.given));
    this.write(this.element, text, this.written, text.length, true);
    this.written = text.length;
  }

  /** Appends a range of the text, a span for each token. */
  write(parent, text, start, end, isRaw = false) {
    if (this.view === "text") { parent.append(text.slice(start, end)); return; }
    let from = start;
    for (let place = this.placeOf(start); from < end; place += 1) {
      const to = Math.min(end, this.starts[place + 1] ?? text.length);
      const piece = text.slice(from, to);
      const index = this.indices[place];
      parent.append(make("span", { class: `token ${proposerClass(this.tokens[index].o)}`, "data-token": index },
        isRaw && piece.trim() === "" ? piece.replaceAll("\n", "↵\n") : piece));
      from = to;
    }
  }

  /** The last token that begins at or before a place. */
  placeOf(offset) {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= offset) low = middle + 1; else high = middle;
    }
    return Math.max(0, low - 1);
  }

  spans() { return [...this.element.querySelectorAll(".token")]; }
  spanOf(index) { return this.element.querySelector(`[data-token="${index}"]`); }

  /** Pointing at a token, tapping it, and the arrow keys show what is known about it. */
  listen() {
    const show = (span, options) => tokenCard().show(span, this.tokens[Number(span.dataset.token)], Number(span.dataset.token), options);
    let timer = 0;
    this.element.addEventListener("pointerover", (event) => {
      const span = event.target.closest(".token");
      if (!span || event.pointerType === "touch" || tokenCard().isPinned) return;
      clearTimeout(timer);
      timer = setTimeout(() => { if (span.isConnected) show(span); }, 120);
    });
    this.element.addEventListener("pointerout", (event) => {
      if (event.pointerType === "touch") return;
      clearTimeout(timer);
      if (!tokenCard().isPinned) timer = setTimeout(() => { if (!tokenCard().isPinned) tokenCard().hide(); }, 160);
    });
    this.element.addEventListener("click", (event) => {
      const span = event.target.closest(".token");
      if (!span || event.target.closest("a") || !getSelection().isCollapsed) return;
      const isShown = tokenCard().target === span && tokenCard().isPinned;
      if (isShown) { tokenCard().isPinned = false; tokenCard().hide(); } else show(span, { isPinned: true });
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const spans = this.spans();
      if (!spans.length) return;
      event.preventDefault();
      const at = spans.indexOf(tokenCard().target);
      const next = spans[at < 0 ? (step > 0 ? 0 : spans.length - 1) : Math.max(0, Math.min(spans.length - 1, at + step))];
      next.scrollIntoView({ block: "nearest" });
      requestAnimationFrame(() => show(next, { isPinned: true, isSpoken: true }));
    });
    this.element.addEventListener("focusout", () => { tokenCard().isPinned = false; tokenCard().hide(); });
  }
}

