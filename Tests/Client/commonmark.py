"""Markdown's structure, from the page's own renderer and from markdown-it-py, in one form."""

import html.parser

from markdown_it import MarkdownIt

# What the page makes of links, whatever they are called in the source, and what a renderer adds around blocks.
RENDER = """async (source) => {
  const { blocks } = await import("/page/markdown.js");
  const tree = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.matches(".code")) return ["pre", "", [["code", "", [node.querySelector("code").textContent]]]];
    if (node.matches(".scroll")) return tree(node.firstChild);
    const heading = [...node.classList].find((name) => /^h[1-6]$/.test(name));
    return [heading ?? node.localName, node.getAttribute("href") ?? node.getAttribute("start") ?? "", [...node.childNodes].map(tree)];
  };
  return blocks(source).map((block) => tree(block.build((parent, start, end) => parent.append(source.slice(start, end)))));
}"""


def ours(page, source):
    return tidy(page.evaluate(RENDER, source))


def theirs(source):
    parser = MarkdownIt("js-default", {"html": False, "breaks": False, "linkify": False})
    reader = Reader()
    reader.feed(parser.render(source))
    return tidy(reader.root)


class Reader(html.parser.HTMLParser):
    """HTML as a tree of `[tag, attribute, children]` and texts."""

    def __init__(self):
        super().__init__()
        self.root = []
        self.open = [self.root]

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        node = [tag, own.get("href") or own.get("start") or "", []]
        self.open[-1].append(node)
        if tag not in ("hr", "br"):
            self.open.append(node[2])

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].append(data)


def tidy(nodes, isCode=False):
    """One text where there are several, white space as one space but in code; tight lists without paragraphs."""
    result = []
    for node in nodes:
        if isinstance(node, str):
            if result and isinstance(result[-1], str):
                result[-1] += node
            else:
                result.append(node)
            continue
        tag, attribute, children = node
        if tag == "br":
            if result and isinstance(result[-1], str):
                result[-1] += "\n"
            else:
                result.append("\n")
            continue
        name = {"s": "del"}.get(tag, tag)
        tidied = tidy(children, isCode or tag == "pre")
        if name == "li":
            tidied = [part for one in tidied for part in (one[2] if isinstance(one, list) and one[0] == "p" else [one])]
            tidied = tidy(tidied)
        result.append([name, attribute.rstrip("/") if name == "a" else attribute, tidied])
    if isCode:
        return [one.removesuffix("\n") if isinstance(one, str) else one for one in result]
    merged = []
    for one in result:
        if isinstance(one, str):
            one = " ".join(one.split())
            if not one:
                continue
        merged.append(one)
    return merged
