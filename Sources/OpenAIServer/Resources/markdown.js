// Markdown to elements: CommonMark's common part, tables and bare links.
//
// Answers are text of a stranger. Nothing here becomes markup: elements come from `createElement`, text from text nodes,
// links lead to http and https only, images are links. HTML in the source is shown as it stands.
//
// Every piece of text keeps its place in the source, so that whoever writes it out knows which tokens it came from.

import { copyButton, make } from "./elements.js";
import { inline } from "./inline.js";

/** Quotes and lists within one another; deeper ones are text. */
const DEEPEST = 12;

/** A range of the source without its line break. */
class Line {
  constructor(source, start, end) { Object.assign(this, { source, start, end }); }
  get text() { return this.source.slice(this.start, this.end); }
  get isBlank() { return this.text.trim() === ""; }
  get indent() { return this.text.length - this.text.trimStart().length; }
  /** The line without its first `count` characters. */
  from(count) { return new Line(this.source, Math.min(this.start + count, this.end), this.end); }
}

function linesOf(source) {
  const lines = [];
  for (let start = 0; start <= source.length;) {
    const found = source.indexOf("\n", start);
    const end = found < 0 ? source.length : found;
    lines.push(new Line(source, start, end));
    start = end + 1;
  }
  return lines;
}

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})\s*(.*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
/** What begins a list within a paragraph: neither an empty item nor a number that may be the text's. */
const FIRST_ITEM = /^ {0,3}(?:[-*+]|1[.)])[ \t]+\S/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:[ \t]+|$)/;
const DELIMITERS = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/**
 * The blocks of a source: `{ start, end, build }`, of which `build(write)` makes the element. `write(parent, start, end)`
 * appends that range of the source as text.
 */
export const blocks = (source) => parse(linesOf(source), 0);

function parse(lines, depth) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at].isBlank) { at += 1; continue; }
    const [end, build] = block(lines, at, depth);
    found.push({ start: lines[at].start, end: lines[end - 1].end, build });
    at = end;
  }
  return found;
}

/** The block that begins at a line: where it ends, and what makes it. */
function block(lines, at, depth) {
  const text = lines[at].text;
  const nests = depth < DEEPEST;
  let match;
  if ((match = FENCE.exec(text))) return fence(lines, at, match);
  if ((match = HEADING.exec(text))) return heading(lines, at, match);
  if (RULE.test(text)) return [at + 1, () => make("hr")];
  if (nests && QUOTE.test(text)) return quote(lines, at, depth);
  if (nests && ITEM.test(text)) return list(lines, at, depth);
  if (isTable(lines, at)) return table(lines, at);
  return paragraph(lines, at, nests);
}

function fence(lines, at, [, marks, info]) {
  const indent = lines[at].indent;
  const closing = new RegExp(`^ {0,3}${marks[0] === "`" ? "`" : "~"}{${marks.length},}[ \\t]*$`);
  let end = at + 1;
  while (end < lines.length && !closing.test(lines[end].text)) end += 1;
  const body = lines.slice(at + 1, end).map((line) => line.from(Math.min(indent, line.indent)));
  const build = (write) => {
    const code = make("code");
    // A line's break belongs to the text, as far as the block goes on.
    body.forEach((line, index) => write(code, line.start, index + 1 < body.length ? line.end + 1 : line.end));
    const language = info.trim().split(/\s/)[0];
    return make("div", { class: "code" },
      make("div", { class: "code-head" }, make("span", {}, language || "text"),
        copyButton({ description: "Copy this code", text: () => body.map((line) => line.text).join("\n") })),
      make("pre", { tabindex: "0", role: "region", "aria-label": `Code${language ? `, ${language}` : ""}` }, code));
  };
  return [Math.min(end + 1, lines.length), build];
}

function heading(lines, at, [marker, marks]) {
  const line = lines[at].from(marker.length);
  const text = line.text.replace(/(?:^|[ \t]+)#+[ \t]*$/, "");
  const kept = new Line(line.source, line.start, line.start + text.length);
  // The page's own headings come first.
  const level = Math.min(marks.length + 3, 6);
  return [at + 1, (write) => inline([kept], make(`h${level}`, { class: `h${marks.length}` }), write)];
}

function quote(lines, at, depth) {
  const inner = [];
  let end = at;
  for (; end < lines.length; end += 1) {
    const match = QUOTE.exec(lines[end].text);
    if (match) inner.push(lines[end].from(match[0].length));
    else if (lines[end].isBlank || inner.at(-1).isBlank || !isParagraphLine(lines, end, depth)) break;
    else inner.push(lines[end]);
  }
  return [end, (write) => container("blockquote", parse(inner, depth + 1), write)];
}

function container(tag, parts, write) {
  const element = make(tag);
  for (const part of parts) element.append(part.build(write));
  return element;
}

function list(lines, at, depth) {
  const kindOf = (marker) => (/\d/.test(marker) ? marker.at(-1) : marker);
  const first = ITEM.exec(lines[at].text);
  const kind = kindOf(first[2]);
  const items = [];
  let end = at, isLoose = false;
  while (end < lines.length) {
    const match = ITEM.exec(lines[end].text);
    if (!match || kindOf(match[2]) !== kind || RULE.test(lines[end].text)) break;
    const width = match[0].trimEnd().length === match[0].length ? match[0].length + 1 : Math.min(match[0].length, match[1].length + match[2].length + 4);
    const inner = [lines[end].from(match[0].length)];
    end += 1;
    while (end < lines.length) {
      const line = lines[end];
      if (line.isBlank) {
        // Blank lines belong to the item if what follows does.
        let next = end;
        while (next < lines.length && lines[next].isBlank) next += 1;
        if (next === lines.length || lines[next].indent < width) {
          if (next < lines.length && kindOf(ITEM.exec(lines[next].text)?.[2] ?? " ") === kind) { isLoose = true; end = next; }
          break;
        }
        isLoose = true;
        while (end < next) { inner.push(lines[end]); end += 1; }
      } else if (line.indent >= width) {
        inner.push(line.from(width)); end += 1;
      } else if (line.indent >= 2 && ITEM.test(line.text.trimStart())) {
        // Models indent by two, whatever the marker's width.
        inner.push(line.from(line.indent)); end += 1;
      } else if (!ITEM.test(line.text) && isParagraphLine(lines, end, depth) && !inner.at(-1).isBlank) {
        inner.push(line); end += 1;
      } else break;
    }
    items.push(parse(inner, depth + 1));
  }
  const isOrdered = /\d/.test(first[2]);
  const number = Number.parseInt(first[2], 10);
  return [end, (write) => {
    const element = make(isOrdered ? "ol" : "ul", { class: isLoose ? "loose" : undefined, start: isOrdered && number !== 1 ? number : undefined });
    for (const item of items) element.append(container("li", item, write));
    return element;
  }];
}

/** The ranges of a row's cells. */
function cells(line) {
  const found = [];
  const text = line.text;
  let from = text.length - text.trimStart().length, at = from;
  if (text[from] === "|") { from += 1; at = from; }
  for (; at <= text.length; at += 1) {
    if (at < text.length && (text[at] !== "|" || text[at - 1] === "\\")) continue;
    if (at === text.length && text.slice(from).trim() === "" && found.length) break;
    const cell = text.slice(from, at);
    const start = line.start + from + (cell.length - cell.trimStart().length);
    found.push(new Line(line.source, Math.min(start, line.start + at), Math.max(start, line.start + from + cell.trimEnd().length)));
    from = at + 1;
  }
  return found;
}

function isTable(lines, at) {
  if (!lines[at].text.includes("|") || at + 1 >= lines.length) return false;
  return DELIMITERS.test(lines[at + 1].text) && lines[at + 1].text.includes("-") && cells(lines[at]).length === cells(lines[at + 1]).length;
}

function table(lines, at) {
  let end = at + 2;
  while (end < lines.length && !lines[end].isBlank && lines[end].text.includes("|")) end += 1;
  const sides = cells(lines[at + 1]).map(({ text }) => (text.endsWith(":") ? (text.startsWith(":") ? "middle" : "right") : null));
  const row = (line, tag, write) => {
    const found = cells(line);
    return make("tr", {}, ...sides.map((side, place) => {
      const cell = make(tag, { class: side, scope: tag === "th" ? "col" : undefined });
      return found[place] ? inline([found[place]], cell, write) : cell;
    }));
  };
  return [end, (write) => make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    make("table", {}, make("thead", {}, row(lines[at], "th", write)),
      make("tbody", {}, ...lines.slice(at + 2, end).map((line) => row(line, "td", write)))))];
}

/** Whether a line goes on with a paragraph rather than beginning something else. */
function isParagraphLine(lines, at, depth) {
  const text = lines[at].text;
  return !FENCE.test(text) && !HEADING.test(text) && !RULE.test(text) && (depth >= DEEPEST || (!QUOTE.test(text) && !FIRST_ITEM.test(text)))
    && !isTable(lines, at);
}

function paragraph(lines, at, nests) {
  let end = at + 1;
  while (end < lines.length && !lines[end].isBlank && isParagraphLine(lines, end, nests ? 0 : DEEPEST)) end += 1;
  // The indents of further lines stay: they may be a form that the model forgot to fence.
  const own = [lines[at].from(lines[at].indent), ...lines.slice(at + 1, end)];
  return [end, (write) => inline(own, make("p"), write)];
}

