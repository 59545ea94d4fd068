"""Shows parts of files of this repository in the book, so that nothing is written twice.

A line of its own, in a page:

    {{ code "bindings/c/signer.c" from="struct session {" to="/* ---- what both need" }}
    {{ section "README.md" "### When it fails" }}
    {{ intro "README.md" "## Rules of the interface" }}

`code` shows a file, or its lines from the one that contains `from` up to the one that contains `to` (which is left out;
`through` instead of `to` leaves it in), as code. `from` must be found on one line only, so that a changed file stops the build
instead of showing something else. `section` takes over the Markdown below a heading, up to the next one of its rank; `intro` up to the next one of any.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {
    ".c": "c", ".h": "c", ".cpp": "cpp", ".hpp": "cpp", ".py": "python", ".mjs": "js", ".js": "js", ".java": "java", ".kt": "kotlin",
    ".kts": "kotlin", ".swift": "swift", ".go": "go", ".sh": "sh", ".json": "json", ".rs": "rust", ".xml": "xml", ".gradle": "groovy",
    ".toml": "toml", ".cmake": "cmake", ".pro": "text", ".mod": "text",
}  # fmt: skip


def _read(name: str) -> str:
    path = (ROOT / name).resolve()
    if not path.is_file() or ROOT not in path.parents:
        raise PluginError(f"there is no file {name} to show")
    return path.read_text(encoding="utf-8")


def _code(name: str, options: dict[str, str]) -> str:
    lines = _read(name).splitlines()
    first, last = 0, len(lines)
    if "from" in options:
        found = [at for at, line in enumerate(lines) if options["from"] in line]
        if len(found) != 1:
            raise PluginError(f"{name}: {options['from']!r} is on {len(found)} lines, not on one")
        first = found[0]
    if end := options.get("to", options.get("through")):
        found = [at for at in range(first + 1, len(lines)) if end in lines[at] and (end != "}" or lines[at].rstrip() == "}")]
        if not found:
            raise PluginError(f"{name}: no line after {options.get('from')!r} has {end!r}")
        last = found[0] + (1 if "through" in options else 0)
    shown = textwrap.dedent("\n".join(lines[first:last])).strip("\n")
    if not shown:
        raise PluginError(f"{name}: nothing to show")
    title = name if "title" not in options else options["title"]
    return f'``````{{ .{LANGUAGES.get(Path(name).suffix, "text")} title="{title}" }}\n{shown}\n``````'


def _section(name: str, heading: str, whole: bool) -> str:
    lines = _read(name).splitlines()
    if lines.count(heading) != 1:
        raise PluginError(f"{name}: {heading!r} is there {lines.count(heading)} times, not once")
    start = lines.index(heading)
    rank = len(heading) - len(heading.lstrip("#"))
    shown, fenced = [], False
    for line in lines[start + 1 :]:
        fenced ^= line.startswith("```")
        if not fenced and (found := re.match(r"(#+) ", line)) and (not whole or len(found[1]) <= rank):
            break
        shown.append(line)
    text = "\n".join(shown).strip("\n")
    if not text:
        raise PluginError(f"{name}: nothing below {heading!r}")
    # A link to a file of the repository leads nowhere in the book: its name is enough.
    return re.sub(r"\[([^\]\n]+)\]\((?!https?:)[^)\n]+\)", lambda f: f"`{f[1].strip('`')}`", text)


def _included(found: re.Match[str]) -> str:
    return textwrap.indent(_shown(found[2], found[3], found[4]), found[1])


def _shown(kind: str, name: str, rest: str) -> str:
    if kind in ("section", "intro"):
        heading = re.fullmatch(r'\s*"([^"]+)"\s*', rest)
        if not heading:
            raise PluginError(f"{kind} {name}: one heading in quotes is wanted")
        return _section(name, heading[1], kind == "section")
    options = {key: re.sub(r"\\(.)", r"\1", value) for key, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', rest)}
    if unknown := set(options) - {"from", "to", "through", "title"}:
        raise PluginError(f"code {name}: {sorted(unknown)} is not known")
    return _code(name, options)


def on_page_markdown(markdown, page, config, files):
    try:
        markdown = re.sub(r'^( *)\{\{ (code|section|intro) "([^"]+)"(.*?) \}\}$', _included, markdown, flags=re.MULTILINE)
    except PluginError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from None
    if left := re.search(r"^\s*\{\{.*", markdown, re.MULTILINE):
        raise PluginError(f"{page.file.src_uri}: not understood: {left[0]}")
    return markdown
