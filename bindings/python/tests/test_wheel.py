"""The wheel is complete, and so is the sdist that it can be built from."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import PACKAGE, ROOT, environment

import cosslice

pytestmark = pytest.mark.skipif(not shutil.which("cargo"), reason="needs a Rust toolchain")


def build(source: Path, kind: str, out: Path) -> Path:
    # Kept, so that the dependencies are compiled once; not cargo's own, which would take this
    # copy of the sources for the checkout's.
    env = {**environment(), "CARGO_TARGET_DIR": str(ROOT / "build" / "wheel-target")}
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    subprocess.run(command, cwd=source, env=env, check=True)
    (artifact,) = out.iterdir()
    return artifact


def test_wheel_and_sdist(tmp_path: Path) -> None:
    sdist = build(PACKAGE, "sdist", tmp_path / "sdist")
    # As pip unpacks it: with the time of now, or cargo would see nothing to compile.
    subprocess.run(["tar", "-xmf", str(sdist)], cwd=tmp_path, check=True)
    source = tmp_path / sdist.name[: -len(".tar.gz")]
    wheel = build(source, "wheel", tmp_path / "wheel")

    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("cosslice", cosslice.__version__, "py3", "none")
    assert platform != "any"
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    modules = {file.name for file in (PACKAGE / "cosslice").glob("*.py")}
    assert {file.name for file in (site / "cosslice").glob("*.py")} == modules
    assert (site / "cosslice" / "py.typed").is_file()

    done = subprocess.run(
        [sys.executable, "-c", "import cosslice._library as l; print(l.lib._name)"],
        env={**environment(), "PYTHONPATH": str(site), "COSSLICE_LIBRARY": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == site / "cosslice"
