// Figures of an answer: one line, and on demand who proposed how much, acceptance by place, and the windows.

import { count, duration, fixed, make, makeSVG, percent } from "./elements.js";
import { byProposer, proposerClass, proposerLabel } from "./tokens.js";

/** Tokens per second from sending to the last token: what a reader waits for. */
export function rateOf(record) {
  const total = counted(record).length;
  return total > 1 && record.seconds > 0 ? total / record.seconds : null;
}

/** The tokens that the model wrote. */
export const counted = (record) => record.tokens.filter((token) => !token.x);

/** Verifications in order: tokens checked, tokens accepted, who proposed them. */
function steps(tokens) {
  const found = [];
  let accepted = 0, origin = "target";
  for (const token of tokens) {
    if (token.o !== "target") { accepted += 1; origin = token.o; continue; }
    found.push({ window: Math.max(token.w ?? accepted, accepted), accepted, origin: accepted ? origin : token.s?.[0]?.[0] ?? "target" });
    [accepted, origin] = [0, "target"];
  }
  if (accepted) found.push({ window: accepted, accepted, origin });
  return found;
}

/** Accepted and proposed guesses: as the server counted them, else as the tokens say. */
function acceptance(record, tokens) {
  const given = record.speculation;
  if (given?.num_draft_tokens) return [given.num_accepted_draft_tokens, given.num_draft_tokens];
  const made = steps(tokens);
  return [made.reduce((sum, step) => sum + step.accepted, 0), made.reduce((sum, step) => sum + step.window, 0)];
}

/** The line and what it opens; `update` brings it up to date. */
export class Figures {
  constructor(record) {
    this.record = record;
    this.line = make("span", { class: "line" });
    this.strip = makeSVG("svg", { class: "strip", "aria-hidden": "true" });
    this.body = make("div", { class: "figures-body" });
    this.element = make("details", { class: "figures", hidden: true },
      make("summary", {}, this.line, this.strip), this.body);
    this.element.addEventListener("toggle", () => this.update());
  }

  update() {
    const { record } = this;
    const tokens = counted(record);
    this.element.hidden = tokens.length === 0;
    if (!tokens.length) return;
    const [accepted, proposed] = acceptance(record, tokens);
    const rate = rateOf(record);
    this.line.replaceChildren(...[
      rate === null ? null : [fixed(rate), " tokens/s"],
      proposed ? [`${percent(accepted / proposed)} %`, " accepted"] : null,
      record.firstSeconds === undefined ? null : [duration(record.firstSeconds), " to the first"],
      [String(tokens.length), tokens.length === 1 ? " token" : " tokens"],
    ].filter(Boolean).map(([value, unit]) => make("span", {}, make("b", {}, value), unit)));
    const made = steps(tokens);
    this.strip.toggleAttribute("hidden", made.every((step) => step.window === 0));
    drawStrip(this.strip, made);
    if (this.element.open) this.body.replaceChildren(...details(record, tokens, accepted, proposed, rate));
  }
}

const COLUMNS = 40;

/** The last verifications: a column each, as high as its window, filled as far as it was accepted. */
function drawStrip(picture, made) {
  const shown = made.slice(-COLUMNS);
  const highest = Math.max(4, ...shown.map((step) => step.window));
  const [pitch, height] = [5, 22];
  picture.setAttribute("viewBox", `0 0 ${COLUMNS * pitch} ${height}`);
  picture.replaceChildren(...shown.flatMap((step, place) => {
    const x = place * pitch;
    const unit = (height - 4) / highest;
    const column = (kind, from, to) => makeSVG("rect", { class: kind, x, y: height - 3 - to * unit, width: pitch - 1.5, height: Math.max(0, (to - from) * unit) });
    return [makeSVG("rect", { class: "own", x, y: height - 2, width: pitch - 1.5, height: 2 }),
      ...(step.window > step.accepted ? [column("missed", step.accepted, step.window)] : []),
      ...(step.accepted ? [column(proposerClass(step.origin), 0, step.accepted)] : [])];
  }));
}

function details(record, tokens, accepted, proposed, rate) {
  const counts = new Map();
  for (const token of tokens) counts.set(token.o, (counts.get(token.o) ?? 0) + 1);
  const names = [...counts.keys()].sort(byProposer);
  const share = make("div", { class: "share", "aria-hidden": "true" }, ...names.map((name) => {
    const part = make("i", { class: proposerClass(name) });
    part.style.width = `${(counts.get(name) / tokens.length) * 100}%`;
    return part;
  }));
  const legend = make("ul", { class: "counts", "aria-label": "Tokens by who proposed them" }, ...names.map((name) =>
    make("li", {}, make("i", { class: `swatch ${proposerClass(name)}` }), make("span", {}, `${proposerLabel(name)} `, make("b", {}, String(counts.get(name)))))));
  const measure = (label, value, unit, title) => make("div", { title }, make("dt", {}, label), make("dd", {}, value, unit ? make("small", {}, ` ${unit}`) : null));
  const own = counts.get("target") ?? 0;
  const measures = make("dl", {},
    measure("Speed", rate === null ? "–" : fixed(rate), "tokens/s"),
    measure("First token", record.firstSeconds === undefined ? "–" : Math.round(record.firstSeconds * 1000), "ms"),
    measure("Tokens per pass", own ? (tokens.length / own).toFixed(2) : "–"),
    proposed ? measure("Guesses accepted", percent(accepted / proposed), "%", `${accepted} of ${proposed} guesses`) : null,
    record.usage ? measure("Prompt", record.usage.prompt_tokens, cachedNote(record.usage)) : null);
  const shares = sharesByPlace(record, tokens);
  return [share, legend, make("div", { class: "measures" }, measures, shares.length ? chart(shares) : null)];
}

function cachedNote(usage) {
  const cached = usage.prompt_tokens_details?.cached_tokens;
  return cached ? `tokens, ${cached} cached` : "tokens";
}

/** By place in the window: the share of the guesses made there that were accepted. */
function sharesByPlace(record, tokens) {
  const given = record.speculation;
  const made = given?.num_draft_tokens_per_pos ?? [];
  if (made.length) return made.map((number, place) => (number ? (given.num_accepted_tokens_per_pos[place] ?? 0) / number : 0));
  const found = steps(tokens).filter((step) => step.window > 0);
  const places = found.reduce((most, step) => Math.max(most, step.window), 0);
  return Array.from({ length: places }, (_, place) => {
    const tried = found.filter((step) => step.window > place);
    return tried.filter((step) => step.accepted > place).length / tried.length;
  });
}

function chart(shares) {
  const [width, height, top, bottom] = [232, 74, 14, 14];
  const pitch = width / shares.length, bar = Math.min(30, pitch * 0.72), room = height - top - bottom;
  const every = Math.ceil(shares.length / 16);
  const picture = makeSVG("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Accepted by place in the window: ${shares.map((value, place) => `${place + 1}: ${percent(value)} %`).join(", ")}` });
  shares.forEach((value, place) => {
    const x = pitch * (place + 0.5), filled = Math.max(room * value, 1.5);
    picture.append(
      makeSVG("rect", { class: "rest", x: x - bar / 2, y: top, width: bar, height: room, rx: 3 }),
      makeSVG("rect", { class: "bar", x: x - bar / 2, y: top + room - filled, width: bar, height: filled, rx: Math.min(3, filled / 2) }));
    if (shares.length <= 9) picture.append(makeSVG("text", { class: "value", x, y: top - 4 }, percent(value)));
    if (place % every === 0) picture.append(makeSVG("text", { x, y: height - 3 }, String(place + 1)));
  });
  return make("figure", { class: "chart" }, make("figcaption", {}, "Accepted of the guesses at each place in the window, %"), picture);
}

/** One line about an answer for those who hear it, and for Markdown. */
export function spoken(record) {
  const rate = rateOf(record);
  return `${count(counted(record).length, "token")}${rate ? `, ${fixed(rate)} per second` : ""}`;
}
