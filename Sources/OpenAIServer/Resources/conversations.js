// Conversations: trees of turns, kept in this browser.
//
// A turn is a question or an answer: `{ id, parent, role, text | answers, chosen }`. Turns of one parent are branches;
// `chosen` is the child that is shown. Each conversation is stored under a key of its own, so that two tabs do not write
// over each other's.

import { stored } from "./elements.js";

const PREFIX = "foretoken-conversation-";
/** Characters that all conversations together may take: what browsers allow, with room for the rest. */
export const MOST_CHARACTERS = 4_800_000;
const LONGEST_TITLE = 60;
/** How often a conversation that grows is stored, in milliseconds. */
const INTERVAL = 700;

const newID = () => crypto.getRandomValues(new Uint32Array(3)).reduce((text, part) => text + part.toString(36), "");

/** All conversations of this browser, and the one that is looked at. */
export class Conversations {
  constructor() {
    this.all = new Map();
    this.sizes = new Map();
    this.current = null;
    /** Whether the last attempt to store something failed. */
    this.isFull = false;
    this.onChange = () => {};
    this.waiting = new Set();
    this.timer = 0;
    this.load();
    addEventListener("pagehide", () => this.flush());
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.flush(); });
    addEventListener("storage", (event) => { if (event.key?.startsWith(PREFIX)) this.reread(event.key.slice(PREFIX.length), event.newValue); });
    this.open(this.all.get(stored("sessionStorage", "foretoken-current")) ?? this.list()[0] ?? this.create());
  }

  load() {
    let keys = [];
    try { keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)); } catch { /* storage is forbidden */ }
    for (const key of keys) this.read(key.slice(PREFIX.length), stored("localStorage", key));
  }

  /** Takes over what is stored under an id; damaged entries are left alone. */
  read(id, text) {
    try {
      const conversation = checked(JSON.parse(text));
      conversation.id = id;
      this.all.set(id, conversation);
      this.sizes.set(id, text.length);
    } catch { /* not one of this page's */ }
  }

  /** Another tab has changed a conversation. */
  reread(id, text) {
    if (this.waiting.has(id)) return;
    if (text === null) { this.all.delete(id); this.sizes.delete(id); } else this.read(id, text);
    if (this.current?.id === id) this.current = this.all.get(id) ?? this.current;
    this.onChange(this.current?.id === id);
  }

  /** The latest first. Those that nothing was said in are not listed. */
  list() { return [...this.all.values()].filter((one) => one.turns.length).sort((a, b) => b.updated - a.updated); }

  /** A conversation that is not stored before something is said in it. */
  create(mode = "chat", settings = {}) {
    const now = Date.now();
    return { id: newID(), title: "", isNamed: false, created: now, updated: now, mode, settings, turns: [], chosen: null };
  }

  open(conversation) {
    this.current = conversation;
    stored("sessionStorage", "foretoken-current", conversation.id);
    return conversation;
  }

  // MARK: Turns

  turn(conversation, id) { return conversation.turns.find((turn) => turn.id === id); }

  /** The turns that are shown, in order. */
  path(conversation) {
    const byID = new Map(conversation.turns.map((turn) => [turn.id, turn]));
    const path = [];
    for (let id = conversation.chosen; id && path.length <= byID.size;) {
      const turn = byID.get(id);
      if (!turn) break;
      path.push(turn);
      id = turn.chosen;
    }
    return path;
  }

  /** A new turn after `parent` (`null` for the first), which is shown from now on. */
  add(conversation, parent, turn) {
    const added = { id: newID(), parent: parent?.id ?? null, chosen: null, ...turn };
    conversation.turns.push(added);
    (parent ?? conversation).chosen = added.id;
    if (!conversation.title && added.text) conversation.title = titleOf(added.text);
    this.all.set(conversation.id, conversation);
    this.save(conversation);
    return added;
  }

  /** The branches that a turn is one of. */
  branches(conversation, turn) { return conversation.turns.filter((other) => other.parent === turn.parent && other.role === turn.role); }

  choose(conversation, turn) {
    (this.turn(conversation, turn.parent) ?? conversation).chosen = turn.id;
    this.save(conversation, { isNews: false });
  }

  // MARK: Storing

  /** Stores a conversation, soon and not too often. */
  save(conversation, { isNews = true } = {}) {
    if (isNews) conversation.updated = Date.now();
    this.waiting.add(conversation.id);
    this.timer ||= setTimeout(() => this.flush(), INTERVAL);
  }

  /** Stores what is waiting. */
  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    const wasFull = this.isFull;
    for (const id of this.waiting) this.write(this.all.get(id));
    this.waiting.clear();
    this.onChange(false, this.isFull !== wasFull);
  }

  write(conversation) {
    if (!conversation?.turns.length) return;
    const text = JSON.stringify(conversation);
    const others = this.characters() - (this.sizes.get(conversation.id) ?? 0);
    this.isFull = others + text.length > MOST_CHARACTERS;
    if (this.isFull) return;
    try {
      localStorage.setItem(PREFIX + conversation.id, text);
      this.sizes.set(conversation.id, text.length);
    } catch { this.isFull = true; }
  }

  characters() { return [...this.sizes.values()].reduce((sum, size) => sum + size, 0); }

  rename(conversation, title) {
    conversation.title = title.trim().slice(0, 200) || conversation.title;
    conversation.isNamed = true;
    this.save(conversation, { isNews: false });
  }

  /** Deletes a conversation; gives what brings it back. */
  delete(conversation) {
    this.waiting.delete(conversation.id);
    this.all.delete(conversation.id);
    this.sizes.delete(conversation.id);
    try { localStorage.removeItem(PREFIX + conversation.id); } catch { /* nothing was stored */ }
    this.isFull = false;
    return () => { this.all.set(conversation.id, conversation); this.waiting.add(conversation.id); this.flush(); };
  }

  // MARK: Files

  /** Takes over conversations of a file; gives how many. Throws an `Error` that says what is wrong. */
  import(text) {
    let value;
    try { value = JSON.parse(text); } catch { throw new Error("The file is not JSON."); }
    const list = value?.format === FORMAT && Array.isArray(value.conversations) ? value.conversations : null;
    if (!list) throw new Error("The file does not hold conversations of this page.");
    const found = list.map(checked);
    for (const conversation of found) {
      conversation.id = newID();
      this.all.set(conversation.id, conversation);
      this.waiting.add(conversation.id);
    }
    this.flush();
    return found.length;
  }
}

const FORMAT = "foretoken-conversations";

const titleOf = (text) => {
  const line = text.trim().split("\n")[0];
  return line.length > LONGEST_TITLE ? `${line.slice(0, LONGEST_TITLE).trimEnd()}…` : line;
};

export const exported = (conversations) => JSON.stringify({ format: FORMAT, version: 1, conversations }, null, 1);

/** The turns that are shown, as Markdown. */
export function asMarkdown(conversation, path) {
  const parts = [`# ${conversation.title || "Conversation"}`];
  if (conversation.settings.system) parts.push(`**System**: ${conversation.settings.system}`);
  for (const turn of path) {
    if (turn.role === "user") { parts.push("## Question", turn.text); continue; }
    for (const [place, record] of turn.answers.entries()) {
      parts.push(turn.answers.length > 1 ? `## Answer ${["with speculation", "without"][place]}` : "## Answer");
      if (record.thought) parts.push(`<details><summary>Thought</summary>\n\n${record.thought}\n\n</details>`);
      if (record.content) parts.push(record.content);
      for (const call of record.calls.filter(Boolean)) parts.push(`Calls \`${call.name}\`:\n\n\`\`\`json\n${call.arguments}\n\`\`\``);
    }
  }
  return `${parts.join("\n\n")}\n`;
}

// MARK: What comes from files and from storage

/** A conversation of which every part is what the page expects; throws where it cannot be one. */
function checked(value) {
  if (typeof value !== "object" || value === null || !Array.isArray(value.turns)) throw new Error("A conversation in the file has no turns.");
  const turns = value.turns.map(checkedTurn);
  const ids = new Set(turns.map((turn) => turn.id));
  if (ids.size !== turns.length) throw new Error("Two turns in the file have the same id.");
  for (const turn of turns) {
    if (turn.parent !== null && !ids.has(turn.parent)) throw new Error("A turn in the file follows one that is not there.");
  }
  return {
    id: string(value.id), title: string(value.title), isNamed: value.isNamed === true, created: number(value.created) ?? Date.now(),
    updated: number(value.updated) ?? Date.now(), mode: value.mode === "completion" ? "completion" : "chat",
    settings: Object.fromEntries(Object.entries(object(value.settings)).filter(([, one]) => ["string", "number", "boolean"].includes(typeof one))),
    turns, chosen: optional(value.chosen),
  };
}

function checkedTurn(value) {
  const turn = { id: string(value?.id), parent: optional(value?.parent), chosen: optional(value?.chosen) };
  if (turn.id === "") throw new Error("A turn in the file has no id.");
  if (value.role === "user") return { ...turn, role: "user", text: string(value.text) };
  if (value.role !== "assistant" || !Array.isArray(value.answers) || !value.answers.length) throw new Error("A turn in the file is neither a question nor an answer.");
  return { ...turn, role: "assistant", answers: value.answers.map(checkedRecord) };
}

function checkedRecord(value) {
  const record = object(value);
  // What was coming when the page was closed, comes no more.
  const state = ["running", "waiting"].includes(record.state) ? "cut" : string(record.state);
  return {
    path: record.path === "/v1/completions" ? "/v1/completions" : "/v1/chat/completions", note: string(record.note),
    state: ["finished", "stopped", "failed", "cut", "skipped"].includes(state) ? state : "finished",
    content: string(record.content), thought: string(record.thought), seconds: number(record.seconds) ?? 0,
    firstSeconds: number(record.firstSeconds), thoughtSeconds: number(record.thoughtSeconds),
    parameters: object(record.parameters), reason: optional(record.reason) ?? undefined, problem: optional(record.problem) ?? undefined, warning: optional(record.warning) ?? undefined,
    calls: list(record.calls).map((call) => ({ id: string(call?.id), name: string(call?.name), arguments: string(call?.arguments) })),
    tokens: list(record.tokens).map(checkedToken),
    usage: record.usage ? { prompt_tokens: number(record.usage.prompt_tokens) ?? 0, prompt_tokens_details: { cached_tokens: number(record.usage.prompt_tokens_details?.cached_tokens) ?? 0 } } : undefined,
    speculation: checkedSpeculation(record.speculation),
  };
}

function checkedToken(value) {
  const token = { t: string(value?.t), p: [0, 1, 2].includes(value?.p) ? value.p : 0, o: string(value?.o) || "target" };
  for (const name of ["i", "l", "w", "n", "x"]) if (number(value?.[name]) !== undefined) token[name] = value[name];
  if (Array.isArray(value?.a)) token.a = value.a.map((one) => [string(one?.[0]), number(one?.[1]) ?? 0]);
  if (Array.isArray(value?.s)) token.s = value.s.map((one) => [string(one?.[0]), string(one?.[1]), number(one?.[2]) ?? -1]);
  return token;
}

function checkedSpeculation(value) {
  if (!number(value?.num_draft_tokens)) return undefined;
  const numbers = (items) => list(items).map((one) => number(one) ?? 0);
  return {
    num_draft_tokens: value.num_draft_tokens, num_accepted_draft_tokens: number(value.num_accepted_draft_tokens) ?? 0,
    num_draft_tokens_per_pos: numbers(value.num_draft_tokens_per_pos), num_accepted_tokens_per_pos: numbers(value.num_accepted_tokens_per_pos),
  };
}

const string = (value) => (typeof value === "string" ? value : "");
const number = (value) => (Number.isFinite(value) ? value : undefined);
const optional = (value) => (typeof value === "string" ? value : null);
const object = (value) => (typeof value === "object" && value !== null ? value : {});
const list = (value) => (Array.isArray(value) ? value : []);
