"""Builds libcosslice with cargo and bundles it in the wheel, beside the package's modules."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class CargoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # an editable install loads build/lib of the checkout, see _library.py
        here = Path(self.root)
        packed = here / "rust"  # in an sdist
        library = build_library(packed if packed.is_dir() else here.parent.parent)
        build_data["force_include"][str(library)] = f"cosslice/{library.name}"
        build_data["tag"] = f"py3-none-{platform_tag(library)}"
        build_data["pure_python"] = False


def build_library(crate: Path) -> Path:
    """Runs cargo in `crate` and returns the shared library that it made."""
    command = ["cargo", "rustc", "--release", "--locked", "--lib", "--crate-type", "cdylib"]
    command += ["--message-format", "json-render-diagnostics"]
    try:
        done = subprocess.run(command, cwd=crate, stdout=subprocess.PIPE, check=True)
    except FileNotFoundError:
        raise SystemExit("building cosslice needs a Rust toolchain: cargo was not found") from None
    # Only cargo knows where its artifacts lie: environment and configuration may move them.
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "cosslice":
            for name in message["filenames"]:
                if name.endswith((".so", ".dylib", ".dll")):
                    return Path(name)
    raise SystemExit(f"cargo made no shared library in {crate}")


def platform_tag(library: Path) -> str:
    """The machines that `library` runs on, as wheels name them."""
    machine = sysconfig.get_platform().rpartition("-")[2]
    if sys.platform == "darwin":
        # The interpreter may be of both architectures and for an older system; the library is not.
        command = ["rustc", "--print", "deployment-target"]
        target = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        major, minor = re.findall(r"\d+", target)[:2]
        return f"macosx_{major}_{minor}_{platform.machine()}"
    if sys.platform == "linux":
        glibc = glibc_needed(library.read_bytes())
        if glibc is not None:
            return f"manylinux_{glibc[0]}_{glibc[1]}_{machine}"
        for tag in platform_tags():
            if tag.startswith("musllinux_"):  # that of this machine's musl comes first
                return tag
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def glibc_needed(library: bytes) -> tuple[int, int] | None:
    """The newest version of glibc whose symbols the library wants, or None without glibc.

    The names of the versions are texts of their own in an ELF file, such as ``GLIBC_2.17``.
    """
    found = re.findall(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)", library)
    return max(((int(major), int(minor)) for major, minor in found), default=None)
