// The page's beginning: puts its parts together, and asks the server.

import { Answer, newRecord } from "./answer.js";
import { compared } from "./comparison.js";
import { Conversations } from "./conversations.js";
import { announce, byId, make, stored, toast } from "./elements.js";
import { spoken } from "./figures.js";
import { Drawer, grow, setPrompt, setUpFiles, setUpKeys, setUpTheme } from "./frame.js";
import { keepKey, restoreKey, send } from "./server.js";
import { Settings, chosen, speculationNote } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { tokenCard } from "./tokens.js";
import { Turns } from "./turns.js";
import { VIEWS } from "./text.js";

const EXAMPLES = {
  chat: [
    ["JSON record", "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna."],
    ["Python function", "Write a Python function that computes the average price of a list of orders."],
    ["Numbered list", "Write a numbered list of 9 animals."],
    ["E-mail", "Write an email from Anna to Felix: project Horizon is delayed until 14 December."],
    ["Markdown table", "Make a table with the capitals of Canada, Egypt, Peru and Norway."],
    ["Short story", "Write a story that begins at the old harbour with a stranger."],
  ],
  completion: [
    ["Counting", "1, 2, 3, 4, 5, 6, 7, 8,"],
    ["Python", "import os\nimport sys\n\n\ndef main():\n"],
    ["JSON", "{\n  \"name\": \"Clara Weber\",\n  \"age\": 34,\n  \"city\":"],
    ["Prose", "It was early in the morning when"],
  ],
};

setUpTheme();
restoreKey();
const settings = new Settings();
const conversations = new Conversations();
/** Of the run in progress; one at a time, since two would share the machine. */
let controller = null;

const turns = new Turns(conversations, {
  view: () => settings.view, isRunning: () => controller !== null, body: bodyOf,
  changed: (conversation) => conversations.save(conversation),
  regenerate: (turn) => answerTo(conversations.turn(conversations.current, turn.parent), turn.answers.length > 1),
  resume: goOn,
  edit: (turn, text) => ask(text, { after: conversations.turn(conversations.current, turn.parent) ?? null }),
});
const sidebar = new Sidebar(conversations, { open, create: () => open(conversations.create(conversations.current.mode)) });
const isNarrow = matchMedia("(max-width: 980px)");
const drawers = {
  sidebar: new Drawer("sidebar", { isNarrow, isOpenAtFirst: true }),
  settings: new Drawer("settings", { isNarrow, isOpenAtFirst: false }),
};

// MARK: Conversations

function open(conversation) {
  conversations.open(conversation);
  settings.show(conversation.settings);
  document.querySelector(`input[name="mode"][value="${conversation.mode}"]`).checked = true;
  showMode();
  turns.show();
  sidebar.show();
  showTitle();
  toEnd();
  if (isNarrow.matches) drawers.sidebar.set(false);
  if (matchMedia("(hover: hover)").matches) byId("prompt").focus({ preventScroll: true });
}

function showTitle() {
  const { title } = conversations.current;
  document.title = title ? `${title} · Foretoken` : "Foretoken";
}

// MARK: Asking

const paths = { chat: "/v1/chat/completions", completion: "/v1/completions" };

/** The body of the request for an answer: what was set when it was asked for, and the turns before it. */
function bodyOf(conversation, turn, record) {
  const before = [];
  for (let one = conversations.turn(conversation, turn.parent); one; one = conversations.turn(conversation, one.parent)) before.unshift(one);
  if (conversation.mode === "completion") return { ...record.parameters, prompt: before.at(-1).text };
  const messages = conversation.settings.system ? [{ role: "system", content: conversation.settings.system }] : [];
  before.forEach((one, place) => {
    const reply = before[place + 1]?.answers?.[0];
    // A question that got no answer would confuse the model.
    if (one.role === "user" && (!before[place + 1] || isSomething(reply))) messages.push({ role: "user", content: one.text });
    if (one.role === "assistant" && isSomething(one.answers[0])) messages.push(messageOf(one.answers[0]));
  });
  return { ...record.parameters, messages };
}

const isSomething = (record) => record !== undefined && (record.content !== "" || record.calls.length > 0);

function messageOf(record) {
  const message = { role: "assistant", content: record.content };
  const calls = record.calls.filter(Boolean);
  if (calls.length) message.tool_calls = calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } }));
  return message;
}

/** Asks a new question, at the end or after the turn where a branch begins. */
async function ask(text, { after, compares = false } = {}) {
  if (controller) return;
  if (text.trim() === "") { byId("prompt").focus(); announce("Write a prompt first."); return; }
  const conversation = conversations.current;
  try { settings.body(conversation.mode); } catch (error) { toast(error.message); return; }
  const parent = after === undefined ? conversations.path(conversation).at(-1) ?? null : after;
  const question = conversations.add(conversation, parent, { role: "user", text });
  showTitle();
  await answerTo(question, compares);
}

/** Asks for an answer to a question, or for two to compare. */
async function answerTo(question, compares) {
  if (controller) return;
  const conversation = conversations.current;
  let parameters;
  try { parameters = settings.body(conversation.mode); } catch (error) { toast(error.message); return; }
  const path = paths[conversation.mode];
  const records = [];
  if (compares) {
    // The same noise for both, or two different samples would be compared.
    if (parameters.temperature !== 0 && parameters.seed === undefined) parameters.seed = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
    if (parameters.speculative?.enabled === false) delete parameters.speculative;
    records.push(newRecord(path, parameters, speculationNote(parameters.speculative)), newRecord(path, { ...parameters, speculative: { enabled: false } }, ""));
  } else {
    records.push(newRecord(path, parameters, speculationNote(parameters.speculative)));
  }
  const turn = conversations.add(conversation, question, { role: "assistant", answers: records });
  await run(conversation, turn, (record) => bodyOf(conversation, turn, record));
}

/** Goes on with an answer that was broken off. */
async function goOn(turn) {
  if (controller) return;
  const conversation = conversations.current;
  const [record] = turn.answers;
  try { record.parameters = settings.body(conversation.mode); } catch (error) { toast(error.message); return; }
  const body = bodyOf(conversation, turn, record);
  if (conversation.mode === "completion") body.prompt += record.content;
  else Object.assign(body, { messages: [...body.messages, { role: "assistant", content: record.content }], continue_final_message: true, add_generation_prompt: false });
  await run(conversation, turn, () => body);
}

/** Has the answers of a turn come, one after the other: together they would share the machine. */
async function run(conversation, turn, body) {
  controller = new AbortController();
  const { signal } = controller;
  setRunning(true);
  turns.show();
  toEnd();
  for (const record of turn.answers) {
    if (signal.aborted) { record.state = "skipped"; continue; }
    await Answer.of(record).stream(body(record), signal);
  }
  controller = null;
  setRunning(false);
  conversations.save(conversation);
  conversations.flush();
  if (conversations.current === conversation) showOutcome(turn);
}

function showOutcome(turn) {
  const isAtEnd = atEnd();
  const top = thread.scrollTop;
  turns.show();
  thread.scrollTop = top;
  const [first, second] = turn.answers;
  if (second) {
    const found = compared(first, second);
    announce(`${found.heading}. ${found.detail}`);
    // The verdict is what a comparison is for.
    requestAnimationFrame(() => byId("turns").querySelector(`[data-turn="${turn.id}"] .verdict`)?.scrollIntoView({ block: "start" }));
    return;
  }
  if (isAtEnd) toEnd();
  if (first.state === "finished") announce(`Answer complete: ${spoken(first)}.`);
  else if (first.state === "stopped") announce("Stopped.");
}

function setRunning(isRunning) {
  byId("run").hidden = isRunning;
  byId("compare").disabled = isRunning;
  byId("stop").hidden = !isRunning;
  document.body.classList.toggle("is-running", isRunning);
  if (isRunning) {
    byId("stop").focus({ preventScroll: true });
    announce("Running.");
  } else if (matchMedia("(hover: hover)").matches && [document.body, byId("stop"), null].includes(document.activeElement)) {
    byId("prompt").focus({ preventScroll: true });
  }
}

const thread = byId("thread");
const atEnd = () => thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
function toEnd() { thread.scrollTop = thread.scrollHeight; }

// MARK: The composer

function submit(compares) {
  const text = byId("prompt").value;
  if (controller) return;
  if (text.trim() !== "") { setPrompt(""); stored("sessionStorage", "foretoken-draft", ""); }
  ask(text, { compares });
}

function showMode() {
  const { mode } = conversations.current;
  byId("prompt").placeholder = mode === "chat" ? "Write a message" : "Write the beginning of a text";
  byId("prompt-label").textContent = mode === "chat" ? "Message" : "Beginning of the text";
  settings.showMode(mode);
  byId("examples").replaceChildren(...EXAMPLES[mode].map(([title, prompt]) => {
    const element = make("button", { class: "example", type: "button" }, make("b", {}, title), make("span", {}, prompt));
    element.addEventListener("click", () => ask(prompt));
    return element;
  }));
}

byId("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(false); });
byId("compare").addEventListener("click", () => submit(true));
byId("stop").addEventListener("click", () => controller?.abort());
byId("prompt").addEventListener("input", () => { grow(); stored("sessionStorage", "foretoken-draft", byId("prompt").value); });
byId("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  const commands = event.ctrlKey || event.metaKey;
  // On a keyboard without keys beside Enter, as phones have, it begins a line.
  if (!commands && (event.shiftKey || event.altKey || !matchMedia("(hover: hover)").matches)) return;
  event.preventDefault();
  submit(commands && event.shiftKey);
});
for (const radio of document.querySelectorAll('input[name="mode"]')) {
  radio.addEventListener("change", () => {
    const conversation = conversations.current;
    if (conversation.turns.length) { open(conversations.create(chosen("mode"))); return; }
    conversation.mode = chosen("mode");
    showMode();
  });
}

// MARK: The server

async function connect() {
  const field = byId("model"), dot = byId("dot");
  try {
    const models = (await (await send("/v1/models")).json()).data ?? [];
    const before = field.value;
    field.replaceChildren(...models.map((model) => make("option", { value: model.id }, model.id)));
    if (models.some((model) => model.id === before)) field.value = before;
    const model = models.find((one) => one.id === field.value);
    byId("key-needed").hidden = true;
    showServed(model);
    settings.showModel(model);
    await settings.readTemplate();
    settings.show(conversations.current.settings);
    settings.showMode(conversations.current.mode);
    dot.className = "dot ready";
  } catch (error) {
    field.replaceChildren(make("option", { value: "" }, "No connection"));
    dot.className = "dot failed";
    byId("served-line").textContent = error.message;
    announce(error.message);
  }
}

/** What is served: the most important of it in a line, all of it on demand. */
function showServed(model) {
  const served = model?.served ?? {};
  const { draft, head, speculation, weights, context, kernels } = served;
  const method = speculation === "none" ? "no speculation" : [speculation, draft ?? head].filter(Boolean).join(" with ");
  byId("served-line").textContent = [method, weights, context && `${context} of context`, kernels && `${kernels} kernels`].filter(Boolean).join(" · ");
  byId("served").replaceChildren(...Object.entries(served).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

async function showVersion() {
  try {
    const { version } = await (await send("/version")).json();
    byId("version").replaceChildren(`Foretoken ${version} · `, make("a", { href: "/openapi.json" }, "API"), " · ", make("a", { href: "/metrics" }, "metrics"));
  } catch { /* the page works without it */ }
}

byId("model").addEventListener("change", connect);
byId("key").addEventListener("change", () => { keepKey(); connect(); });
byId("enter-key").addEventListener("click", () => { drawers.settings.set(true); byId("key").scrollIntoView({ block: "center" }); byId("key").focus(); });

// MARK: Keys

function step(by) {
  const list = conversations.list();
  const at = list.findIndex((one) => one.id === conversations.current.id);
  const next = list[at + by];
  if (next) open(next);
}

function cycleView() {
  settings.setView(VIEWS[(VIEWS.indexOf(settings.view) + 1) % VIEWS.length]);
  announce(`View: ${settings.view}.`);
}

const last = (selector) => [...byId("turns").querySelectorAll(selector)].at(-1);
setUpKeys({
  n: () => open(conversations.create(conversations.current.mode)),
  "/": () => byId("prompt").focus(),
  v: cycleView,
  r: () => last('[title^="Ask for another"]')?.click(),
  e: () => last(".edit")?.click(),
  s: () => drawers.settings.set(!drawers.settings.isOpen, true),
  l: () => drawers.sidebar.set(!drawers.sidebar.isOpen, true),
  "[": () => step(-1),
  "]": () => step(1),
}, () => {
  // What is on top first: a card, a drawer, then the answer.
  if (tokenCard().hide()) return;
  for (const drawer of Drawer.all) if (drawer.isOver) { drawer.set(false, true); return; }
  controller?.abort();
});
byId("veil").addEventListener("click", () => { for (const drawer of Drawer.all) if (drawer.isOver) drawer.set(false, true); });
byId("close-help").addEventListener("click", () => byId("help").close());

// MARK: The beginning

setUpFiles();
settings.onView = () => turns.redraw();
settings.onChange = (values) => {
  conversations.current.settings = values;
  if (conversations.current.turns.length) conversations.save(conversations.current, { isNews: false });
};
conversations.onChange = (isReplaced) => { sidebar.show(); if (isReplaced && !controller) open(conversations.current); };
open(conversations.current);
setPrompt(stored("sessionStorage", "foretoken-draft") ?? "");
connect();
showVersion();
