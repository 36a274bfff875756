// What stands within lines of Markdown: emphasis, code, links, breaks. The rules are CommonMark's.

import { make } from "./elements.js";

/** Emphasis within emphasis; deeper ones are left out. */
const DEEPEST = 12;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const BARE_LINK = /https?:\/\/[^\s<>]*/gy;

/** Appends lines to `parent`, by `write(parent, start, end)` with places in the source; gives the parent. */
export function inline(lines, parent, write) {
  // The lines' text, and where in the source each character is from.
  let text = "";
  const places = [];
  lines.forEach((line, index) => {
    const end = index + 1 < lines.length ? line.end + 1 : line.end;
    text += line.source.slice(line.start, end);
    for (let place = line.start; place < end; place += 1) places.push(place);
  });
  const writeOut = (element, from, to) => {
    for (let begin = from; begin < to;) {
      let end = begin + 1;
      while (end < to && places[end] === places[end - 1] + 1) end += 1;
      write(element, places[begin], places[end - 1] + 1);
      begin = end;
    }
  };
  build(new Scanner(text).nodes(), parent, writeOut, 0);
  return parent;
}

function build(nodes, parent, write, depth) {
  for (const node of nodes) {
    if (node.children) {
      const element = depth < DEEPEST ? make(node.tag, node.attributes) : parent;
      build(node.children, element, write, depth + 1);
      if (element !== parent) parent.append(element);
    } else if (node.tag) {
      const element = make(node.tag, node.attributes);
      write(element, node.from, node.to);
      parent.append(element);
    } else {
      write(parent, node.from, node.to);
    }
  }
}

/** The address if it leads to the web, else `null`. */
function webAddress(text) {
  try {
    const address = new URL(text);
    return address.protocol === "https:" || address.protocol === "http:" ? address.href : null;
  } catch { return null; }
}

const link = (address, children, isImage = false) => ({
  tag: "a", children,
  attributes: { href: address, rel: "noopener noreferrer nofollow", target: "_blank", class: isImage ? "image" : undefined },
});

/** Reads a text into nodes: `{ from, to }`, with `tag` for code, or `{ tag, children }`. */
class Scanner {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.found = [];
    this.brackets = [];
    /** Lengths of backtick runs that nothing closes from here on. */
    this.unclosed = new Set();
  }

  nodes() {
    const { text } = this;
    let plain = 0;
    while (this.at < text.length) {
      const before = this.at;
      const node = this.special(text[this.at]);
      if (node === undefined) { this.at = before + 1; continue; }
      if (before > plain) this.found.push({ from: plain, to: before });
      // A closing bracket has put what it closes in place itself; pieces of text before it stay where they are.
      if (Array.isArray(node)) this.close(node); else this.found.push(node);
      plain = this.at;
    }
    if (text.length > plain) this.found.push({ from: plain, to: text.length });
    return emphasised(this.found);
  }

  /** What a character begins: a node, what `close` needs, or `undefined` for text. */
  special(character) {
    const { text, at } = this;
    switch (character) {
      case "\\":
        if (!/[!-/:-@[-`{-~\n]/.test(text[at + 1] ?? "")) return undefined;
        this.at += 2;
        return { from: at + 1, to: at + 2 };
      case "`": return this.code();
      case "*": case "_": case "~": return this.delimiters(character);
      case "!":
        if (text[at + 1] !== "[") return undefined;
        this.at += 2;
        return this.open({ from: at, to: at + 2, isImage: true });
      case "[":
        this.at += 1;
        return this.open({ from: at, to: at + 1 });
      case "]": return this.closing();
      case "<": {
        const end = text.indexOf(">", at);
        const address = end < 0 || end - at > 2048 ? null : webAddress(text.slice(at + 1, end));
        if (!address || /\s/.test(text.slice(at + 1, end))) return undefined;
        this.at = end + 1;
        return link(address, [{ from: at + 1, to: end }]);
      }
      case "h": return /\w/.test(text[at - 1] ?? "") ? undefined : this.bareLink();
      default: return undefined;
    }
  }

  code() {
    const { text, at } = this;
    let open = at;
    while (text[open] === "`") open += 1;
    const length = open - at;
    this.at = open;
    if (!this.unclosed.has(length)) {
      for (let end = text.indexOf("`", open); end >= 0; end = text.indexOf("`", end)) {
        let after = end;
        while (text[after] === "`") after += 1;
        if (after - end === length) {
          this.at = after;
          const isPadded = text[open] === " " && text[end - 1] === " " && text.slice(open, end).trim() !== "";
          return { tag: "code", from: open + (isPadded ? 1 : 0), to: end - (isPadded ? 1 : 0) };
        }
        end = after;
      }
      this.unclosed.add(length);
    }
    return { from: at, to: open };
  }

  delimiters(mark) {
    const { text, at } = this;
    let end = at;
    while (text[end] === mark) end += 1;
    this.at = end;
    const length = end - at;
    const [before, after] = [text[at - 1] ?? " ", text[end] ?? " "];
    const isLeft = !/\s/.test(after) && (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
    const isRight = !/\s/.test(before) && (!PUNCTUATION.test(before) || /\s/.test(after) || PUNCTUATION.test(after));
    const inWord = mark === "_" && /\w/.test(before) && /\w/.test(after);
    if (mark === "~" && length !== 2) return { from: at, to: end };
    return { from: at, to: end, mark, length, opens: isLeft && !inWord, closes: isRight && !inWord };
  }

  bareLink() {
    BARE_LINK.lastIndex = this.at;
    let address = BARE_LINK.exec(this.text)?.[0];
    if (!address) return undefined;
    address = address.replace(/[?!.,:;*_~'")\]`]+$/, (end) => (end.startsWith(")") && address.includes("(") ? ")" : ""));
    const href = webAddress(address);
    if (!href) return undefined;
    const from = this.at;
    this.at += address.length;
    return link(href, [{ from, to: this.at }]);
  }

  open(bracket) {
    this.brackets.push({ ...bracket, place: this.found.length });
    return { from: bracket.from, to: bracket.to, isBracket: true };
  }

  /** `](address "title")` after an open bracket: what `close` needs. */
  closing() {
    const bracket = this.brackets.pop();
    if (!bracket || this.text[this.at + 1] !== "(") return undefined;
    const rest = /^\]\(\s*(?:<([^<>\n]*)>|([^\s<>()]*(?:\([^\s()]*\)[^\s()]*)*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/.exec(this.text.slice(this.at, this.at + 4096));
    const address = rest && webAddress(rest[1] ?? rest[2]);
    if (!address) return undefined;
    this.at += rest[0].length;
    return [bracket, address];
  }

  close([bracket, address]) {
    // The bracket's own node is where it was put, after the text before it.
    const place = this.found.findLastIndex((node) => node.isBracket && node.from === bracket.from);
    const inner = this.found.splice(place).slice(1);
    const children = emphasised(inner);
    this.found.push(link(address, children.length ? children : [{ from: bracket.from, to: bracket.to }], bracket.isImage));
    // No links within links.
    if (!bracket.isImage) this.brackets = [];
  }
}

/** Nodes with the delimiters that belong together made into emphasis (CommonMark, "process emphasis"). */
function emphasised(nodes) {
  const stack = [];   // open delimiters: { node, index into result }
  const result = [];
  for (const node of nodes) {
    if (!node.mark) { result.push(node); continue; }
    let left = node;
    while (left.length > 0 && left.closes) {
      const opener = stack.findLastIndex(({ node: open }) => open.mark === left.mark && open.length > 0
        && !((open.closes || left.opens) && (open.length + left.length) % 3 === 0 && (open.length % 3 || left.length % 3)));
      if (opener < 0) break;
      const { node: open, index } = stack[opener];
      stack.length = opener + 1;
      const taken = left.mark === "~" ? 2 : Math.min(2, open.length, left.length);
      const children = result.splice(index + 1);
      // What was not used of an opener stays as text before the emphasis.
      const rest = { ...open, to: open.to - taken, length: open.length - taken };
      result[index] = rest;
      result.push({ tag: left.mark === "~" ? "del" : taken === 2 ? "strong" : "em", children });
      if (rest.length > 0) stack[opener] = { node: rest, index };
      else stack.length = opener;
      left = { ...left, from: left.from + taken, length: left.length - taken };
    }
    if (left.length > 0) {
      if (left.opens && stack.length < 200) stack.push({ node: left, index: result.length });
      result.push(left);
    }
  }
  return result.filter((node) => node.children || node.tag || node.to > node.from);
}
