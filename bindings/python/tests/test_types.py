"""What an editor sees: types and documentation."""

from __future__ import annotations

import enum
import importlib.util
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from conftest import PACKAGE, ROOT, environment

import cosslice
from cosslice import aio


@pytest.mark.skipif(sys.version_info < (3, 10), reason="mypy has left this version behind")
@pytest.mark.skipif(not importlib.util.find_spec("mypy"), reason="needs mypy")
def test_mypy() -> None:
    cache = ROOT / "build" / "mypy"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(cache)],
        cwd=PACKAGE,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Names and objects that belong to the package, members of classes included."""
    for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
        item = getattr(module, name)
        if not getattr(item, "__module__", "").startswith("cosslice"):
            continue
        yield name, item
        if inspect.isclass(item) and not issubclass(item, enum.Enum):
            for member, value in vars(item).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    yield f"{name}.{member}", getattr(item, member)


def test_everything_is_documented() -> None:
    modules = [cosslice, aio]
    if importlib.util.find_spec("fsspec"):
        modules.append(importlib.import_module("cosslice.fs"))
    found = [(f"{m.__name__}.{name}", item) for m in modules for name, item in public(m)]
    assert len(found) > 100
    # inspect.getdoc also finds what a base class says.
    undocumented = [name for name, item in found if not inspect.getdoc(item)]
    assert not undocumented, "\n".join(undocumented)


def test_help_is_complete() -> None:
    text = cosslice.__doc__ or ""
    for name in ("upload_file", "upload_fileobj", "open", "Upload", "Config", "aio", "fs"):
        assert name in text
    for info in pkgutil.iter_modules(cosslice.__path__):
        if info.name != "__main__" and (info.name != "fs" or importlib.util.find_spec("fsspec")):
            assert importlib.import_module(f"cosslice.{info.name}").__doc__, info.name
