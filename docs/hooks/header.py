"""Reads include/cosslice.h, as cbindgen writes it: comments of `//` before each item, one item after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

HEADER = Path(__file__).resolve().parents[2] / "include" / "cosslice.h"


class Unread(Exception):
    """The header has a form that this reader does not know: it must be taught, never skip."""


@dataclass
class Member:
    name: str
    number: int
    text: str


@dataclass
class Item:
    kind: str  # function, enum, callback, handle, number, macro
    name: str
    code: str
    text: str
    members: list[Member] = field(default_factory=list)


@dataclass
class Header:
    opening: str  # the comment at its top, without the title line
    items: list[Item]

    def of(self, *kinds: str) -> list[Item]:
        return [item for item in self.items if item.kind in kinds]

    def named(self, name: str) -> Item:
        return next(item for item in self.items if item.name == name)


def _members(name: str, body: str) -> list[Member]:
    members, comment = [], []
    for line in body.splitlines():
        line = line.strip()
        if line.startswith("//"):
            comment.append(line[2:].strip())
        elif found := re.fullmatch(r"(\w+) = (-?\d+),", line):
            if not comment:
                raise Unread(f"{found[1]} has no comment")
            members.append(Member(found[1], int(found[2]), " ".join(comment)))
            comment = []
        elif line:
            raise Unread(f"in enum {name}: {line}")
    return members


def _item(code: str, text: str) -> Item:
    """One declaration, its comment before it."""
    if found := re.match(r"typedef enum (\w+) \{\n(.*)\n\} \1;$", code, re.DOTALL):
        return Item("enum", found[1], code, text, _members(found[1], found[2]))
    if found := re.match(r"typedef struct (\w+) \1;$", code):
        return Item("handle", found[1], code, text)
    if found := re.match(r"typedef \w+ (\w+);$", code):
        return Item("number", found[1], code, text)
    if found := re.match(r"typedef \w+ \(\*(\w+)\)\(", code):
        return Item("callback", found[1], code, text)
    if found := re.match(r"#define (\w+) \d+$", code):
        return Item("macro", found[1], code, text)
    if found := re.match(r"COSSLICE_API\s[\w\s*]*?\b(cosslice_\w+)\(", code):
        return Item("function", found[1], re.sub(r"^COSSLICE_API\s+", "", code), text)
    raise Unread(code)


def read(path: Path = HEADER) -> Header:
    source = path.read_text(encoding="utf-8")
    opening = re.match(r"/\*\n(.*?)\n \*/\n", source, re.DOTALL)
    if not opening:
        raise Unread("no comment at the top")
    text = "\n".join(line[3:] for line in opening[1].splitlines())
    title, _, rest = text.partition("\n\nIn short\n")
    if not title or not rest:
        raise Unread("the comment at the top has no part 'In short'")

    items, comment, code = [], [], []
    # Everything that is documented has a `//` comment right before it; what has none is preprocessor and `extern "C"`.
    for line in source[opening.end() :].splitlines():
        if not code and line.startswith("//"):
            comment.append(line[2:].removeprefix(" "))
            continue
        if not code and not line.strip():
            comment = []
            continue
        if code or comment:
            code.append(line)
            joined = "\n".join(code)
            ends = line.endswith(";") and joined.count("{") == joined.count("}") and joined.count("(") == joined.count(")")
            if ends or line.startswith("#define"):
                items.append(_item(joined, "\n".join(comment)))
                comment, code = [], []
    if code:
        raise Unread("\n".join(code))
    declared = set(re.findall(r"^COSSLICE_API\s[^;]*?\b(cosslice_\w+)\(", source, re.MULTILINE))
    undocumented = declared - {item.name for item in items}
    if undocumented:
        raise Unread(f"without a comment: {sorted(undocumented)}")
    return Header(rest, items)
