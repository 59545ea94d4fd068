"""Builds libcosslice with cargo and bundles it in the wheel, beside the package's modules."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CargoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # an editable install loads build/lib of the checkout, see _library.py
        here = Path(self.root)
        packed = here / "rust"  # in an sdist
        library = build_library(packed if packed.is_dir() else here.parent.parent)
        build_data["force_include"][str(library)] = f"cosslice/{library.name}"
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
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
