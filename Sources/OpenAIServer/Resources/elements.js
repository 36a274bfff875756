// Elements, icons, notices and the clipboard. Text enters the page through `textContent` only, never as markup.

export const byId = (id) => document.getElementById(id);

/** A new element; children are elements or text, what is `null` is left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function makeSVG(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An icon of the sheet at the page's beginning. */
export const icon = (name) => makeSVG("svg", { class: "icon", "aria-hidden": "true" }, makeSVG("use", { href: `#i-${name}` }));

/** A button; without a visible caption its description is its name. */
export function button({ symbol, label, description, kind = "bare", action }) {
  const element = make("button", { class: `button ${kind}`, type: "button", title: description, "aria-label": label ? undefined : description },
    symbol ? icon(symbol) : null, label ? make("span", {}, label) : null);
  if (action) element.addEventListener("click", action);
  return element;
}

/** Says something to those who hear the page. */
export function announce(text) { byId("status").textContent = text; }

let toastTimer = 0;

/** Shows a notice for a while, with something that can be done about it. */
export function toast(text, { label, action, seconds = 6 } = {}) {
  const box = byId("toast");
  clearTimeout(toastTimer);
  const close = () => { box.replaceChildren(); };
  box.replaceChildren(make("p", {}, text));
  if (label) box.firstChild.append(button({ label, kind: "small", action: () => { close(); action(); } }));
  toastTimer = setTimeout(close, seconds * 1000);
}

async function copy(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* no clipboard without HTTPS: the old way */ }
  const field = make("textarea", { class: "unseen", "aria-hidden": "true", tabindex: "-1" });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/** A button that copies what `text` gives, and says whether that went well. */
export function copyButton({ symbol = "copy", label, description, text }) {
  const element = button({ symbol, label, description });
  element.addEventListener("click", async () => {
    const done = await copy(text());
    element.replaceChild(icon(done ? "check" : "cross"), element.firstChild);
    announce(done ? "Copied." : "The browser did not allow copying.");
    setTimeout(() => element.replaceChild(icon(symbol), element.firstChild), 1500);
  });
  return element;
}

/** Gives a file to the reader. */
export function download(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const percent = (share) => `${Math.round(share * 100)}`;
export const fixed = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
export const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
export const duration = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`);

/** A browser may forbid storage; the page then forgets. */
export function stored(storage, name, value) {
  try {
    if (value === undefined) return window[storage].getItem(name);
    window[storage].setItem(name, value);
  } catch { /* forgotten */ }
  return null;
}
