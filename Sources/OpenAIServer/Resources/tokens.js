// Who proposed a token, what else was proposed at its place, and how probable it was.

import { announce, byId, make } from "./elements.js";

const PROPOSERS = {
  target: "target", draft_model: "draft model", eagle3: "EAGLE-3 head", dflash: "DFlash head", mtp: "MTP layer",
  ngram: "n-gram lookup", suffix: "suffix index", grammar: "form of the answer",
};
const order = Object.keys(PROPOSERS);

export const proposerClass = (name) => (Object.hasOwn(PROPOSERS, name) ? `o-${name}` : "o-other");
export const proposerLabel = (name) => (Object.hasOwn(PROPOSERS, name) ? PROPOSERS[name] : name.replaceAll("_", " "));
export const byProposer = (a, b) => order.indexOf(b) - order.indexOf(a);

/** What a token's text is part of. */
export const CONTENT = 0, THOUGHT = 1, CALL = 2;

/**
 * A token as it is kept: `t` its text, `p` what that is part of, `o` who proposed it, `i` its id; where known `l` its
 * log-probability, `a` alternatives as `[text, logprob]`, `w` tokens that the verification checked, `n` its place there,
 * `s` what was proposed at its place as `[origin, text, id]`; `x` marks text at the end that no token brought. The names
 * are short because thousands are stored.
 */
export function tokensOf(choice, text, part) {
  const ids = choice.token_ids ?? [];
  let origins = choice.token_origins ?? [];
  // A server that does not say how many tokens an event holds sends one with each.
  if (!origins.length) origins = Array(ids.length || (text ? 1 : 0)).fill("target");
  const scores = scoresOf(choice.logprobs);
  return origins.map((origin, place) => {
    const token = { t: place === 0 ? text : "", p: part, o: String(origin) };
    if (ids[place] !== undefined) token.i = ids[place];
    if (scores[place]) [token.l, token.a] = scores[place];
    const proposals = choice.token_proposals?.[place];
    if (proposals) {
      [token.w, token.n] = [proposals.window, proposals.position];
      if (proposals.proposals.length) token.s = proposals.proposals.map((one) => [one.origin, one.token, one.token_id]);
    }
    return token;
  });
}

/** Both endpoints' log-probabilities as `[logprob, [[text, logprob], …]]` per token. */
function scoresOf(logprobs) {
  if (logprobs?.content) return logprobs.content.map((one) => [one.logprob, one.top_logprobs.map((other) => [other.token, other.logprob])]);
  return (logprobs?.token_logprobs ?? []).map((logprob, place) => [logprob,
    Object.entries(logprobs.top_logprobs?.[place] ?? {}).sort((a, b) => b[1] - a[1])]);
}

/** A token's text with what is not seen made visible. */
export const visible = (text) => (text === "" ? "nothing" : text.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥"));

const share = (logprob) => {
  const value = Math.exp(logprob) * 100;
  return value >= 99.95 ? "100 %" : value < 0.05 ? "< 0.1 %" : `${value.toFixed(1)} %`;
};

/** Who named a token and who else would have, as sentences. */
export function provenance(token) {
  const said = token.s ?? [];
  const named = said.filter(([, , id]) => id === token.i).map(([origin]) => origin);
  const others = said.filter(([, , id]) => id !== token.i);
  const lines = [];
  if (token.o === "target") {
    if (token.w === undefined) lines.push("The target’s own.");
    else if (token.w === 0 && !named.length) lines.push("The target’s own; nothing was proposed.");
    else if (token.n >= token.w && !others.length && !named.length) lines.push(`The target’s own, after all ${token.w} of its window were accepted.`);
    else lines.push("The target’s own.");
  } else {
    lines.push(`Proposed by the ${proposerLabel(token.o)}${token.w ? `, ${token.n + 1} of ${token.w} in its window` : ""}.`);
  }
  for (const origin of named) if (origin !== token.o) lines.push(`The ${proposerLabel(origin)} would have proposed it too.`);
  for (const [origin, text] of others) lines.push(`The ${proposerLabel(origin)} proposed “${visible(text)}” instead.`);
  return lines;
}

/** The card that says what is known about a token. There is one, beside the token that is looked at. */
class TokenCard {
  constructor() {
    this.element = byId("token-card");
    this.target = null;
    this.isPinned = false;
    document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".token, #token-card")) this.hide(); });
    byId("thread").addEventListener("scroll", () => this.hide(), { passive: true });
    window.addEventListener("resize", () => this.hide());
  }

  /** Shows it for an element's token; a pinned one stays when the pointer leaves. */
  show(target, token, place, { isPinned = false, isSpoken = false } = {}) {
    this.target?.classList.remove("current");
    this.target = target;
    this.isPinned = isPinned;
    target.classList.add("current");
    const lines = provenance(token);
    const parts = [make("p", { class: "token-name" }, make("code", {}, visible(token.t)), make("small", {}, `token ${place + 1}${token.i === undefined ? "" : `, id ${token.i}`}`))];
    parts.push(...lines.map((line, index) => make("p", { class: index ? "also" : proposerClass(token.o) }, index ? null : make("i", { class: `swatch ${proposerClass(token.o)}` }), line)));
    if (token.l !== undefined) parts.push(this.alternatives(token));
    else parts.push(make("p", { class: "quiet" }, "Its probability is asked for with “Probabilities” in the settings."));
    this.element.replaceChildren(...parts);
    if (!this.element.matches(":popover-open")) this.element.showPopover();
    this.place(target.getClientRects()[0] ?? target.getBoundingClientRect());
    if (isSpoken) announce(`${visible(token.t)}. ${lines.join(" ")}${token.l === undefined ? "" : ` Probability ${share(token.l)}.`}`);
  }

  alternatives(token) {
    const rows = (token.a ?? []).slice(0, 8);
    if (!rows.some(([text]) => text === token.t)) rows.unshift([token.t, token.l]);
    return make("table", {}, make("caption", {}, "Probability, and the likeliest at this place"), make("tbody", {}, ...rows.map(([text, logprob]) => {
      const bar = make("i");
      bar.style.width = `${Math.exp(logprob) * 100}%`;
      return make("tr", { class: text === token.t ? "chosen" : undefined },
        make("th", { scope: "row" }, make("code", {}, visible(text))), make("td", { class: "bar" }, bar), make("td", {}, share(logprob)));
    })));
  }

  place(box) {
    const card = this.element.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, innerWidth - card.width - 8));
    const below = box.bottom + 8 + card.height < innerHeight;
    this.element.style.left = `${left}px`;
    this.element.style.top = `${below ? box.bottom + 8 : Math.max(8, box.top - card.height - 8)}px`;
  }

  hide() {
    if (!this.target) return false;
    this.target.classList.remove("current");
    this.target = null;
    if (this.element.matches(":popover-open")) this.element.hidePopover();
    return true;
  }
}

let card = null;
export const tokenCard = () => (card ??= new TokenCard());
