"""The header as pages of the book, and every name of it in the book linked to them."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

import header
from mkdocs.structure.files import File

PREFIX = "COSSLICE_"

# What belongs together, in the order of use. A function that fits nowhere stops the build.
GROUPS = [
    ("Config", "Where uploads go, who signs them, how they behave.", r"cosslice_config_(?!sign$)\w+"),
    ("Upload", "From making one to its end.", r"cosslice_upload_(new|set_progress|hash|init|seek|feed|finish|file|buffer|free)"),
    ("At any time, on any thread", "What may be called while another call is running.", r"cosslice_upload_(cancel|get_i64|get_str)"),
    ("Signing", "For the server that signs, and inside a signer.", r"cosslice_(config_sign|sign_get_\w+)"),
    ("The library", "What was loaded, and words for a status.", r"cosslice_(abi_version|version|status_str)"),
]

ENUM_PAGES = {
    "cosslice_code": ("status.md", "Statuses"),
    "cosslice_option": ("options.md", "Options"),
    "cosslice_info": ("information.md", "Information"),
}


@dataclass
class Option:
    """An option as its comment in the header tells it."""

    member: header.Member
    kind: str
    values: str
    default: str

    @property
    def short(self) -> str:
        return self.member.name.removeprefix("COSSLICE_OPT_")


def option(member: header.Member) -> Option:
    text = member.text
    choices = re.findall(r"(?:^|; )(\d) ", text)
    if text.startswith("Text: "):
        given = re.search(r"Default (`[^`]+`)", text)
        default = given[1] if given else "required" if "Required" in text else "none"
        return Option(member, "text", "UTF-8", default)
    if found := re.search(r"(\d+) to (\d+)\b", text):
        default = re.search(r"Default (\d+)", text)
        values = f"{found[1]} to {found[2]}"
        chosen = default[1] if default else ""
    elif choices:
        default = next((part for part in text.split(";") if "(default)" in part), "")
        values = ", ".join(sorted(choices))
        chosen = (re.search(r"\d", default) or [""])[0]
    else:
        raise header.Unread(f"the range of {member.name}")
    if not chosen:
        raise header.Unread(f"the default of {member.name}")
    return Option(member, "number", values, chosen)


# --- names and where they are explained ---------------------------------------------------------------------------------


def _targets(whole: header.Header) -> dict[str, str]:
    """Name to page#anchor, below reference/."""
    targets = {}
    for item in whole.items:
        page = "functions.md" if item.kind == "function" else "types.md"
        page, _ = ENUM_PAGES.get(item.name, (page, ""))
        targets[item.name] = f"{page}#{item.name}"
        for member in item.members:
            targets[member.name] = f"{page}#{member.name}"
    # Short forms, as tables and tutorials write them. An option goes before an information of the same name.
    for name in list(targets):
        if name.startswith(PREFIX):
            targets.setdefault(name.removeprefix(PREFIX), targets[name])
    for kind in ("OPT_", "INFO_"):
        for name in [n for n in targets if n.startswith(PREFIX + kind)]:
            targets.setdefault(name.removeprefix(PREFIX + kind), targets[name])
    return targets


WHOLE = header.read()
TARGETS = _targets(WHOLE)
# Words in capitals that are names even without quotes: not URL or MESSAGE, which are words.
BARE = {n for n in TARGETS if re.fullmatch(r"[A-Z0-9_]+", n) and ("_" in n or TARGETS[n].startswith("options"))}

_KEPT = re.compile(
    r"(^ *(`{3,}).*?^ *\2 *$|^#+ [^\n]*$|\[[^\]\n]*\]\([^)\n]*\)|<svg.*?</svg>)", re.DOTALL | re.MULTILINE
)


def link(markdown: str, page: str) -> str:
    """Makes links of the names in `quotes` outside of code blocks, headings and links."""
    here = posixpath.dirname(page)

    def linked(found: re.Match[str]) -> str:
        name = found[1]
        target = TARGETS.get(name.removesuffix("()"))
        if not target:
            return found[0]
        return f"[`{name}`]({posixpath.relpath('reference/' + target, here or '.')})"

    pieces = _KEPT.split(markdown)  # text, what is kept, its fence, text, ...
    for at in range(0, len(pieces), 3):
        pieces[at] = re.sub(r"`((?:cosslice_\w+(?:\(\))?|[A-Z][A-Z0-9_]+))`", linked, pieces[at])
    return "".join(piece for at, piece in enumerate(pieces) if at % 3 < 2)


# --- pages --------------------------------------------------------------------------------------------------------------


def _prose(text: str) -> str:
    """The header's words as Markdown: names without quotes get them, `enum x` becomes a link too."""
    out = []
    for piece in re.split(r"(`[^`]*`)", text):
        if piece.startswith("`"):
            piece = re.sub(r"^`enum (\w+)`$", r"`\1`", piece)
            call = re.match(r"`(cosslice_\w+)(\(.*\))`$", piece)
            # A call with its arguments: the function and, in it, the information.
            piece = f"[{piece}](functions.md#{call[1]})" if call else piece
        else:
            piece = re.sub(r"\b(cosslice_\w+)\b", r"`\1`", piece)
            piece = re.sub(r"\b[A-Z][A-Z0-9_]+\b", lambda f: f"`{f[0]}`" if f[0] in BARE else f[0], piece)
            piece = piece.replace("*", r"\*").replace("[", r"\[").replace("]", r"\]").replace("<", "&lt;")
        out.append(piece)
    return re.sub(r"^Requires:\n", "**Requires:** ", "".join(out), flags=re.MULTILINE)


def _signature(code: str) -> str:
    """One line, or one parameter a line; without the `struct` that C++ and the eye do not need."""
    code = re.sub(r"\s+", " ", code).replace("struct ", "").replace("( ", "(")
    if len(code) <= 84:
        return code
    start, _, rest = code.partition("(*") if code.startswith("typedef") else ("", "", code)
    name, _, parameters = rest.partition("(")
    lines = ",\n    ".join(parameters.removesuffix(");").split(", "))
    return f"{start}{'(*' if start else ''}{name}(\n    {lines});"


def _entry(item: header.Item, level: int = 3) -> str:
    return f"{'#' * level} `{item.name}` {{ #{item.name} }}\n\n```c\n{_signature(item.code)}\n```\n\n{_prose(item.text)}\n\n"


def _first(text: str) -> str:
    sentence = re.match(r"(.*?[.:])(?:\s|$)", text.replace("\n", " "))
    return (sentence[1] if sentence else text).rstrip(":.") + "."


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines) + "\n"


def _functions() -> str:
    text = "# Functions\n\nEvery function of `cosslice.h`, in the order of use.\n\n"
    left = {item.name: item for item in WHOLE.of("function")}
    for title, words, pattern in GROUPS:
        mine = [left.pop(name) for name in list(left) if re.fullmatch(pattern, name)]
        text += f"## {title}\n\n{words}\n\n" + "".join(_entry(item) for item in mine)
    if left:
        raise header.Unread(f"which group of functions has {sorted(left)}")
    return text


def _types() -> str:
    text = "# Types and callbacks\n\n## Handles\n\n"
    text += "".join(_entry(item) for item in WHOLE.of("handle"))
    text += "## Numbers\n\n" + "".join(_entry(item) for item in WHOLE.of("number", "macro"))
    text += "## Callbacks\n\n" + "".join(_entry(item) for item in WHOLE.of("callback"))
    text += "## Small sets of numbers\n\n"
    for item in WHOLE.of("enum"):
        if item.name not in ENUM_PAGES:
            text += f"### `{item.name}` {{ #{item.name} }}\n\n{_prose(item.text)}\n\n"
            text += _rows(
                ["name", "number", "is"],
                [[f'<span id="{m.name}"></span>`{m.name}`', str(m.number), _prose(m.text)] for m in item.members],
            )
    return text


def _members(name: str, words: str) -> str:
    item = WHOLE.named(name)
    text = f"# {ENUM_PAGES[name][1]} {{ #{name} }}\n\n{_prose(item.text)} {words}\n\n"
    for member in item.members:
        text += f"### `{member.name}` {{ #{member.name} }}\n\n`{member.number}` · {_prose(member.text)}\n\n"
    return text


def _options() -> str:
    item = WHOLE.named("cosslice_option")
    options = [option(member) for member in item.members]
    text = f"# Options {{ #cosslice_option }}\n\n{_prose(item.text)} Text options are set with `cosslice_config_set_str`, "
    text += "number options with `cosslice_config_set_u64`; wrappers use the names in lower case.\n\n## All of them\n\n"
    text += _rows(
        ["option", "no.", "kind", "values", "default"],
        [[f"`{o.short}`", str(o.member.number), o.kind, o.values, o.default] for o in options],
    )
    for kind, title in (("text", "Texts"), ("number", "Numbers")):
        text += f"## {title}\n\n"
        for o in (o for o in options if o.kind == kind):
            text += f"### `{o.member.name}` {{ #{o.member.name} }}\n\n"
            text += f"<small>`{o.member.number}` · {o.kind} · {o.values} · default: {o.default}</small>\n\n"
            text += _prose(o.member.text) + "\n\n"
    return text


def _index() -> str:
    opening = re.sub(r"^  ", "", WHOLE.opening, flags=re.MULTILINE)
    text = "# Reference\n\nMade from the comments of `include/cosslice.h`, which is all there is to the interface.\n\n"
    text += f"## In short\n\n{_prose(opening)}\n\n## Every function\n\n"
    text += _rows(["function", ""], [[f"`{i.name}`", _prose(_first(i.text))] for i in WHOLE.of("function")])
    text += "## Everything else\n\n"
    kinds = [("callback", "callback"), ("handle", "handle"), ("number", "number"), ("macro", "number"), ("enum", "set of numbers")]
    text += _rows(
        ["name", "kind", ""],
        [[f"`{i.name}`", word, _prose(_first(i.text))] for kind, word in kinds for i in WHOLE.of(kind)],
    )
    return text


PAGES = {
    "index.md": _index,
    "functions.md": _functions,
    "options.md": _options,
    "status.md": lambda: _members("cosslice_code", "`cosslice_status_str` has a few words for each."),
    "information.md": lambda: _members(
        "cosslice_info", "Texts are read with `cosslice_upload_get_str`, numbers with `cosslice_upload_get_i64`."
    ),
    "types.md": _types,
}


def on_files(files, config):
    for name, write in PAGES.items():
        files.append(File.generated(config, f"reference/{name}", content=write()))
    return files


def on_page_markdown(markdown, page, config, files):
    return link(markdown, page.file.src_uri)
