"""Swift source as Scripts/lint-numbers reads it: tokens, and the types that declarations give names."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
INTEGERS = {"Int", "UInt", *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)), "TokenID"}
BITS = {"TokenID": 32, "Int": 64, "UInt": 64}
DECODED = {
    "Decodable", "Codable", "ParsableArguments", "ParsableCommand", "AsyncParsableCommand", "ExpressibleByArgument"}
TOKEN = re.compile(
    r"(?P<space>[ \t]+)|(?P<line>\n)|(?P<comment>//[^\n]*|/\*.*?\*/)"
    r"|(?P<number>0[xob][0-9A-Fa-f_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[$#@]?[A-Za-z_]\w*|\$\d+|`\w+`)|(?P<bracket>[()\[\]{},;:])|(?P<operator>\.\.[.<]|[-+*/%<>=!&|^~?.\\]+)|(?P<other>.)",
    re.S)


class Token:
    __slots__ = ("kind", "text", "line", "before", "after")

    def __init__(self, kind, text, line, before):
        self.kind, self.text, self.line, self.before, self.after = kind, text, line, before, False


def without_strings(text):
    """The text with the contents of string literals blanked, but for interpolations."""
    output, index, stack = [], 0, []
    while index < len(text):
        if stack and stack[-1][0] == "string":
            mark, hashes = stack[-1][1], stack[-1][2]
            if text.startswith(mark + hashes, index):
                output.append('"')
                index += len(mark + hashes)
                stack.pop()
            elif text.startswith("\\" + hashes + "(", index):
                output.append(" (")
                index += len(hashes) + 2
                stack.append(["code", 1])
            elif text[index] == "\\" and not hashes:
                # A line break may be escaped.
                output.append(" " + ("\n" if text[index + 1:index + 2] == "\n" else " "))
                index += 2
            else:
                output.append("\n" if text[index] == "\n" else " ")
                index += 1
            continue
        if text.startswith("//", index):
            end = text.find("\n", index)
            index = len(text) if end < 0 else end
            continue
        found = re.compile(r'(#*)("""|")').match(text, index)
        if found:
            output.append('"')
            stack.append(["string", found[2], found[1]])
            index = found.end()
            continue
        if stack:
            if text[index] == "(":
                stack[-1][1] += 1
            elif text[index] == ")":
                stack[-1][1] -= 1
                if stack[-1][1] == 0:
                    stack.pop()
        output.append(text[index])
        index += 1
    return "".join(output)


def tokens_of(text):
    tokens, line, space = [], 1, True
    for found in TOKEN.finditer(without_strings(text)):
        kind = found.lastgroup
        if kind in ("space", "line", "comment"):
            line += found[0].count("\n")
            space = True
            if tokens:
                tokens[-1].after = True
            continue
        tokens.append(Token(kind, found[0], line, space))
        space = False
    return tokens


def pairs_of(tokens):
    """The place of each bracket's partner."""
    partner, open_ = {}, []
    for index, token in enumerate(tokens):
        if token.text in ("(", "[", "{"):
            open_.append(index)
        elif token.text in (")", "]", "}") and open_:
            partner[index] = open_.pop()
            partner[partner[index]] = index
    return partner


def declared_types(text, types):
    """Adds what types the declarations of a text give a name."""
    declaration = re.compile(r"((?:[`\w]+, )*[`\w]+): (?:inout |borrowing |consuming |@\w+ )*(\[?\[?[A-Z]\w*(?:\.[A-Z]\w*)*|\[|\(|any |some )")
    literal = re.compile(r"\b(?:let|var) (\w+) = (-?\d[\d_]*)(\.\d|e\d)?")
    function = re.compile(r"\bfunc (\w+)[^{}]*?-> (\[?[A-Z]\w*)")
    text = without_strings(text)
    for names, kind in declaration.findall(text):
        for name in names.split(", "):
            types.setdefault(name.split()[-1], set()).add(kind.strip())
    for name, _, fraction in literal.findall(text):
        types.setdefault(name, set()).add("Double" if fraction else "Int")
    for name, kind in re.findall(r"\b(?:let|var) (\w+) = [^\n]* as (\w+)\n", text):
        types.setdefault(name, set()).add(kind)
    for name, kind in function.findall(text):
        types.setdefault(name, set()).add(kind)
    return types


def decoded_names(paths):
    """Integer properties of types that are decoded from files or flags."""
    names = set()
    header = re.compile(r"\b(?:struct|class|enum|extension) \w+[^{\n]*:([^{\n]*)\{")
    for path in paths:
        text = without_strings(path.read_text())
        for found in header.finditer(text):
            if not DECODED & set(re.findall(r"\w+", found[1])):
                continue
            depth, end = 1, found.end()
            while end < len(text) and depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            body = text[found.end():end]
            for group, kind, more in re.findall(r"\b(?:let|var) ((?:\w+, )*\w+): \[?(\w+)\]?\??([^\n]*)", body):
                if kind in INTEGERS and not re.match(r"\s*\{", more):
                    names.update(group.split(", "))
            names.update(re.findall(r"\bvar (\w+) = \d[\d_]*(?: <<[^\n]*)?\n", body))
    return names


def holds(wide, narrow):
    """Whether an integer type holds every value of another."""
    def shape(name):
        name = name.strip("[")
        bits = BITS.get(name) or int(re.sub(r"\D", "", name) or 0) if name in INTEGERS else 0
        return bits, name.startswith("U")
    (wide_bits, wide_unsigned), (bits, unsigned) = shape(wide), shape(narrow)
    if not bits:
        return False
    return bits < wide_bits and (unsigned or not wide_unsigned) or bits == wide_bits and unsigned == wide_unsigned
