// The list of conversations: open, rename, delete and bring back, export, import.

import { announce, button, byId, count, download, icon, make, toast } from "./elements.js";
import { MOST_CHARACTERS, asMarkdown, exported } from "./conversations.js";

export class Sidebar {
  /** @param {{ open, create }} actions */
  constructor(conversations, actions) {
    Object.assign(this, { conversations, actions });
    byId("new").addEventListener("click", () => actions.create());
    byId("import").addEventListener("click", () => byId("import-file").click());
    byId("import-file").addEventListener("change", () => this.import());
    byId("export-all").addEventListener("click", () => this.exportAll());
    this.menu = byId("conversation-menu");
    this.menu.addEventListener("keydown", (event) => this.moveInMenu(event));
    this.menu.addEventListener("toggle", (event) => { if (event.newState === "closed") this.opener?.setAttribute("aria-expanded", "false"); });
  }

  show() {
    const { conversations } = this;
    const list = conversations.list();
    // While an answer comes the list stays as it is, and with it who has the focus.
    const shown = JSON.stringify([conversations.current.id, ...list.map(({ id, title }) => [id, title])]);
    if (shown !== this.shown) byId("conversations").replaceChildren(...list.map((conversation) => this.item(conversation)));
    this.shown = shown;
    byId("no-conversations").hidden = list.length > 0;
    byId("export-all").disabled = list.length === 0;
    const share = conversations.characters() / MOST_CHARACTERS;
    byId("storage-bar").style.width = `${Math.min(100, share * 100)}%`;
    byId("storage").hidden = share < 0.5;
    byId("storage-text").textContent = `${Math.round(share * 100)} % of this browser’s storage in use`;
    byId("full").hidden = !conversations.isFull;
  }

  item(conversation) {
    const isCurrent = conversation.id === this.conversations.current.id;
    const title = conversation.title || "Untitled";
    const open = make("button", { class: "conversation", type: "button", title, "aria-current": isCurrent ? "true" : undefined }, make("span", {}, title));
    open.addEventListener("click", () => this.actions.open(conversation));
    const more = button({ symbol: "more", description: `More for “${title}”` });
    more.setAttribute("aria-haspopup", "menu");
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => this.openMenu(conversation, more));
    return make("li", { class: isCurrent ? "current" : undefined, "data-id": conversation.id }, open, more);
  }

  // MARK: Menu

  openMenu(conversation, opener) {
    const entry = (symbol, label, action) => {
      const element = make("button", { type: "button", role: "menuitem", tabindex: "-1" }, icon(symbol), label);
      element.addEventListener("click", () => { this.menu.hidePopover(); action(); });
      return element;
    };
    this.opener = opener;
    this.menu.replaceChildren(
      entry("edit", "Rename", () => this.rename(conversation)),
      entry("down", "Export as JSON", () => download(fileName(conversation, "json"), "application/json", exported([conversation]))),
      entry("down", "Export as Markdown", () => download(fileName(conversation, "md"), "text/markdown", asMarkdown(conversation, this.conversations.path(conversation)))),
      entry("delete", "Delete", () => this.delete(conversation)));
    this.menu.showPopover();
    opener.setAttribute("aria-expanded", "true");
    const [box, own] = [opener.getBoundingClientRect(), this.menu.getBoundingClientRect()];
    this.menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - own.width - 8))}px`;
    this.menu.style.top = `${box.bottom + own.height + 8 < innerHeight ? box.bottom + 4 : box.top - own.height - 4}px`;
    this.menu.firstChild.focus();
  }

  moveInMenu(event) {
    const entries = [...this.menu.children];
    const at = entries.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to === undefined) {
      if (event.key === "Tab") this.menu.hidePopover();
      return;
    }
    event.preventDefault();
    entries.at(to % entries.length).focus();
  }

  // MARK: What is done with a conversation

  itemOf(conversation) { return byId("conversations").querySelector(`[data-id="${conversation.id}"]`); }

  rename(conversation) {
    const field = make("input", { type: "text", class: "rename", "aria-label": "Name of the conversation", maxlength: "200" });
    field.value = conversation.title;
    let isOver = false;
    const end = (keeps) => {
      if (isOver) return;
      isOver = true;
      if (keeps) this.conversations.rename(conversation, field.value);
      this.shown = null;
      this.show();
      this.itemOf(conversation)?.querySelector(".conversation").focus();
    };
    field.addEventListener("keydown", (event) => {
      // The key must not reach the button that gets the focus.
      if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); end(true); }
      if (event.key === "Escape") { event.stopPropagation(); end(false); }
    });
    field.addEventListener("blur", () => end(true));
    this.itemOf(conversation).replaceChildren(field);
    field.focus();
    field.select();
  }

  delete(conversation) {
    const wasCurrent = conversation.id === this.conversations.current.id;
    const restore = this.conversations.delete(conversation);
    if (wasCurrent) this.actions.create();
    this.show();
    byId("new").focus();
    toast(`Deleted “${conversation.title || "Untitled"}”.`, { label: "Undo", seconds: 12, action: () => {
      restore();
      if (wasCurrent) this.actions.open(conversation); else this.show();
      announce("The conversation is back.");
    } });
  }

  exportAll() { download("foretoken-conversations.json", "application/json", exported(this.conversations.list())); }

  async import() {
    const field = byId("import-file");
    const [file] = field.files;
    field.value = "";
    if (!file) return;
    try {
      const number = this.conversations.import(await file.text());
      this.show();
      toast(this.conversations.isFull ? "The browser’s storage is too full for these conversations: they are lost when the page is closed." : `Imported ${count(number, "conversation")}.`);
    } catch (error) { toast(error.message); }
  }
}

const fileName = (conversation, ending) => `${(conversation.title || "conversation").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 50) || "conversation"}.${ending}`;
