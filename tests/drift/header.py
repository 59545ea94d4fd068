"""What include/cosslice.h declares. A compiler confirms it, so that a mistake of this parser cannot hide a drift."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Constants by the start of their names: the enum, and what is left of the name in bindings.
GROUPS = {
    "OPT": "cosslice_option",
    "INFO": "cosslice_info",
    "PHASE": "cosslice_phase",
    "LOG": "cosslice_level",
    "SIGN": "cosslice_sign_field",
    "STATUS": "cosslice_code",
}


@dataclass(frozen=True)
class Function:
    result: str
    parameters: tuple[tuple[str, str], ...]  # type and name


class Header:
    def __init__(self, path: Path) -> None:
        self.path = path
        raw = path.read_text()
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", raw, flags=re.S)
        text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.M)
        text = re.sub(r"\bCOSSLICE_API\b", " ", text)
        self.text = text
        self.abi = int(re.search(r"^#define COSSLICE_ABI_VERSION (\d+)", raw, re.M)[1])
        self.enums = {
            name: {one: int(value) for one, value in re.findall(r"(COSSLICE_\w+)\s*=\s*(-?\d+)", body)}
            for body, name in re.findall(r"typedef\s+enum\s+\w+\s*\{(.*?)\}\s*(\w+)\s*;", text, re.S)
        }
        self.constants = {name: value for enum in self.enums.values() for name, value in enum.items()}
        self.callbacks = {
            name: Function(c_type(result), parameters(rest))
            for result, name, rest in re.findall(
                r"typedef\s+([\w\s*]+?)\(\s*\*\s*(cosslice_\w+)\s*\)\s*\(([^()]*)\)\s*;", text
            )
        }
        self.functions = {
            name: Function(c_type(result), parameters(rest))
            for result, name, rest in re.findall(r"([\w\s]+?[\s*]+)(cosslice_\w+)\s*\(([^()]*)\)\s*;", text)
        }

    def group(self, group: str) -> dict[str, int]:
        """A group's constants without their common start: {"APP_ID": 1, ...}."""
        start = "COSSLICE_" if group == "STATUS" else f"COSSLICE_{group}_"
        short = {name[len(start) :]: value for name, value in self.enums[GROUPS[group]].items()}
        return {re.sub(r"^E_", "", name) if group == "STATUS" else name: value for name, value in short.items()}

    def confirm(self, compiler: str) -> str:
        """What the compiler has against this reading of the header; empty when nothing."""
        lines = ["#include <cosslice.h>"]
        for name, value in self.constants.items():
            lines.append(f'_Static_assert({name} == {value}, "{name}");')
        lines.append(f'_Static_assert(COSSLICE_ABI_VERSION == {self.abi}, "ABI");')
        for enum, values in self.enums.items():
            # Every value of the enum, or -Wswitch complains.
            cases = " ".join(f"case {name}:" for name in values)
            lines.append(f"int see_{enum}(enum {enum} v) {{ switch (v) {{ {cases} return 1; }} return 0; }}")
        for name, one in self.functions.items():
            lines.append(f"{one.result} {name}({', '.join(t for t, _ in one.parameters) or 'void'});")
        for name, one in self.callbacks.items():
            lines.append(f"typedef {one.result} (*{name})({', '.join(t for t, _ in one.parameters)});")
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "confirm.c"
            source.write_text("\n".join(lines) + "\n")
            done = subprocess.run(
                [*compiler.split(), "-std=c11", "-Wall", "-Wno-missing-prototypes", "-Werror", "-fsyntax-only"]
                + [f"-I{self.path.parent}", str(source)],
                capture_output=True,
                text=True,
            )
        return "" if done.returncode == 0 else done.stderr


def c_type(text: str) -> str:
    text = re.sub(r"\b(extern|struct|enum)\b", " ", text)
    return re.sub(r"\s*\*\s*", " *", " ".join(text.split())).replace("* *", "**").strip()


def parameters(text: str) -> tuple[tuple[str, str], ...]:
    if text.strip() in ("", "void"):
        return ()
    found = []
    for part in text.split(","):
        declared, name = re.fullmatch(r"\s*(.*?[\s*])(\w+)\s*", part, re.S).groups()
        found.append((c_type(declared), name))
    return tuple(found)
