// What two answers to the same prompt show about each other.

import { fixed, icon, make } from "./elements.js";
import { counted, rateOf } from "./figures.js";

/** `{ kind, heading, detail, ratio, difference }`; `difference` is the first token that is not the same. */
export function compared(fast, plain) {
  const whole = fast.state === "finished" && plain.state === "finished";
  const [a, b] = [counted(fast), counted(plain)];
  const hasIds = [...a, ...b].every((token) => token.i !== undefined);
  const shorter = Math.min(a.length, b.length);
  let difference = -1;
  if (hasIds) {
    difference = a.slice(0, shorter).findIndex((token, place) => token.i !== b[place].i);
    if (difference < 0 && whole && a.length !== b.length) difference = shorter;
  } else if (whole && fast.content !== plain.content) {
    difference = 0;
  }
  const [first, second] = [rateOf(fast), rateOf(plain)];
  const ratio = first && second ? first / second : null;
  if (difference >= 0) {
    return { kind: "different", ratio: null, difference, heading: "The two answers differ",
      detail: hasIds ? `They part at token ${difference + 1}, which is framed. Speculation must never change an answer: please report this.`
        : "Their texts are not the same. Speculation must never change an answer: please report this." };
  }
  if (whole) {
    const speed = ratio === null ? "" : ratio >= 1 ? `, and ${ratio.toFixed(2)} times as fast with speculation` : `, and ${(1 / ratio).toFixed(2)} times as slow with speculation`;
    return { kind: "same", ratio, difference, heading: `Identical${speed}`,
      detail: `${hasIds ? `All ${a.length} token ids agree.` : "The texts agree."} One run of each, from sending to the last token.` };
  }
  return { kind: "open", ratio, difference, heading: "Not compared to the end",
    detail: shorter && hasIds ? `The first ${shorter} tokens of both agree.` : "At least one of the answers is missing." };
}

const SYMBOLS = { same: "check", different: "alert", open: "wait" };

/** The verdict on two records, as an element. */
export function verdict(found, fast, plain) {
  const box = make("div", { class: `verdict ${found.kind}`, tabindex: "-1" },
    make("span", { class: "mark", "aria-hidden": "true" }, icon(SYMBOLS[found.kind])),
    make("div", {}, make("strong", {}, found.heading), make("p", {}, found.detail)));
  if (found.ratio !== null) box.append(race(rateOf(fast), rateOf(plain)));
  return box;
}

function race(fast, plain) {
  const longest = Math.max(fast, plain);
  const box = make("div", { class: "race" });
  for (const [label, rate, style] of [["with", fast, "fast"], ["without", plain, ""]]) {
    const line = make("i", { class: style });
    line.style.width = `${(rate / longest) * 100}%`;
    box.append(make("span", {}, label), make("span", {}, line), make("b", {}, `${fixed(rate)} tokens/s`));
  }
  return box;
}
