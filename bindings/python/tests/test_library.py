"""How the library is found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PACKAGE, PATIENCE_S, ROOT, environment

import cosslice
from cosslice import _library


def run_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_versions_agree() -> None:
    project = (PACKAGE / "pyproject.toml").read_text()
    cargo = (ROOT / "Cargo.toml").read_text()
    pattern = r'^version = "([^"]+)"'
    found = re.search(pattern, project, re.M), re.search(pattern, cargo, re.M)
    assert [match and match[1] for match in found] == [cosslice.__version__] * 2


def test_the_environment_names_the_library() -> None:
    done = run_python("import cosslice", COSSLICE_LIBRARY=_library.lib._name)
    assert done.returncode == 0, done.stderr


def test_a_library_that_is_not_there() -> None:
    done = run_python("import cosslice", COSSLICE_LIBRARY="/nowhere/libcosslice.so")
    assert "ImportError: libcosslice was not found" in done.stderr
    tried = re.findall(r"^  (/[^:]*): .*cannot open", done.stderr, re.M)
    assert tried == ["/nowhere/libcosslice.so"]


def test_something_that_is_not_a_library(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    done = run_python("import cosslice", COSSLICE_LIBRARY=str(tmp_path / "text"))
    assert f"{tmp_path / 'text'}: " in done.stderr and "ImportError" in done.stderr


def test_a_library_of_another_abi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_library, "ABI_VERSION", 2)
    with pytest.raises(ImportError, match=r"has version 1 .* needs version 2"):
        _library._declare(_library.lib, Path("x"))


def test_a_library_that_lacks_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_library.PROTOTYPES, "cosslice_upload_teleport", (None, []))
    with pytest.raises(ImportError, match="cosslice_upload_teleport"):
        _library._declare(_library.lib, Path("x"))


def test_the_order_of_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSSLICE_LIBRARY", raising=False)
    name = os.path.basename(_library._FILE_NAME)
    assert _library._candidates() == [
        PACKAGE / "cosslice" / name,
        ROOT / "build" / "lib" / name,
    ]
