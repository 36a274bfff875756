// The page around the conversation: colours, drawers, the composer's field, what is dropped on it, keys.

import { byId, stored, toast } from "./elements.js";

// MARK: Colours

const THEMES = ["system", "light", "dark"];
const THEME_NAMES = { system: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

function showTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  byId("theme").querySelector("use").setAttribute("href", `#i-${theme}`);
  byId("theme").querySelector("span").textContent = THEME_NAMES[theme];
  byId("theme").title = THEME_NAMES[theme];
}

export function setUpTheme() {
  const theme = stored("localStorage", "foretoken-theme");
  showTheme(THEMES.includes(theme) ? theme : "system");
  byId("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % THEMES.length];
    showTheme(next);
    stored("localStorage", "foretoken-theme", next);
  });
}

// MARK: Drawers

/** A panel at the side: beside the conversation where there is room, over it where there is not. */
export class Drawer {
  static all = [];

  constructor(name, { isNarrow, isOpenAtFirst }) {
    Object.assign(this, { name, isNarrow });
    Drawer.all.push(this);
    this.panel = byId(name);
    this.opener = byId(`open-${name}`);
    this.isOpen = !isNarrow.matches && (stored("localStorage", `foretoken-${name}`) ?? String(isOpenAtFirst)) === "true";
    this.opener.addEventListener("click", () => this.set(!this.isOpen, true));
    byId(`close-${name}`).addEventListener("click", () => this.set(false, true));
    isNarrow.addEventListener("change", () => { this.set(!isNarrow.matches && isOpenAtFirst); });
    this.apply();
  }

  get isOver() { return this.isOpen && this.isNarrow.matches; }

  set(isOpen, byReader = false) {
    if (isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    if (byReader && !this.isNarrow.matches) stored("localStorage", `foretoken-${this.name}`, String(isOpen));
    this.apply();
    if (!byReader) return;
    if (isOpen && this.isNarrow.matches) byId(`close-${this.name}`).focus();
    if (!isOpen) this.opener.focus();
  }

  apply() {
    document.body.classList.toggle(`${this.name}-open`, this.isOpen);
    this.panel.inert = !this.isOpen;
    this.opener.setAttribute("aria-expanded", String(this.isOpen));
    const isCovered = Drawer.all.some((drawer) => drawer.isOver);
    for (const part of ["main", "header"]) document.querySelector(part).inert = isCovered;
  }
}

// MARK: The composer's field

export function grow() {
  const field = byId("prompt");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, innerHeight * 0.34)}px`;
}

export function setPrompt(text) { byId("prompt").value = text; grow(); }

const LONGEST_FILE = 256 * 1024;

/** Text files become text; what the model cannot read is refused with a reason. */
export function setUpFiles() {
  const take = async (files) => {
    for (const file of files) {
      if (/^(image|audio|video)\//.test(file.type)) {
        toast(`“${file.name || "The image"}” was left out: the model reads text only, no images, sound or video.`);
      } else if (file.size > LONGEST_FILE) {
        toast(`“${file.name}” was left out: ${Math.round(file.size / 1024)} kB are more than the ${LONGEST_FILE / 1024} kB that are taken.`);
      } else {
        try { insert(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()), file.name); } catch {
          toast(`“${file.name}” was left out: it is not text. The model reads text only.`);
        }
      }
    }
  };
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("dropping", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files);
    });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  byId("prompt").addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    take(event.clipboardData.files);
  });
}

/** Puts a file's text where the cursor is, as a block of code. */
function insert(text, name) {
  const field = byId("prompt");
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const block = `${name}:\n${fence}\n${text.replace(/\n$/, "")}\n${fence}\n`;
  const before = field.value.slice(0, field.selectionStart);
  field.setRangeText((before && !before.endsWith("\n") ? "\n" : "") + block, field.selectionStart, field.selectionEnd, "end");
  grow();
  field.focus();
}

// MARK: Keys

/** Single keys, which count while no field has the focus and may be switched off. */
export function setUpKeys(keys, escape) {
  const isOn = byId("single-keys");
  isOn.checked = stored("localStorage", "foretoken-keys") !== "off";
  isOn.addEventListener("change", () => stored("localStorage", "foretoken-keys", isOn.checked ? "on" : "off"));
  byId("open-help").addEventListener("click", () => byId("help").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || byId("help").open) return;
    if (event.key === "Escape") { if (!document.querySelector("#conversation-menu:popover-open")) escape(event); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "?") { event.preventDefault(); byId("help").showModal(); return; }
    const action = isOn.checked && keys[event.key];
    if (action) { event.preventDefault(); action(); }
  });
}
