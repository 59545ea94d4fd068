"""The wheel is complete, and so is the sdist that it can be built from."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import PACKAGE, ROOT, environment
from packaging.tags import platform_tags

import cosslice
import hatch_build
from cosslice import _library

GLIBC = platform.libc_ver()[0] == "glibc"
needs_cargo = pytest.mark.skipif(not shutil.which("cargo"), reason="needs a Rust toolchain")


def build(source: Path, kind: str, out: Path) -> Path:
    # Kept, so that the dependencies are compiled once; not cargo's own, which would take this
    # copy of the sources for the checkout's.
    target = os.environ.get("COSSLICE_WHEEL_TARGET", str(ROOT / "build" / "wheel-target"))
    env = {**environment(), "CARGO_TARGET_DIR": target}
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    subprocess.run(command, cwd=source, env=env, check=True)
    (artifact,) = out.iterdir()
    return artifact


def check_with_auditwheel(wheel: Path, platform: str) -> None:
    """PyPI takes the wheel, and it installs wherever it runs and nowhere else."""
    assert re.fullmatch(r"manylinux_2_\d+_\w+", platform)
    assert platform in platform_tags()  # or pip would refuse it here
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    consistent = re.search(r'consistent with\s+the following platform tag:\s+"(\w+)"', done.stdout)
    assert consistent, done.stdout
    # auditwheel names the oldest profile that fits; there is one for each version since 2.24.
    assert consistent[1] == platform, done.stdout


@pytest.mark.skipif(sys.platform != "linux" or not GLIBC, reason="for glibc")
def test_glibc_needed() -> None:
    """The texts that are looked for are the versions that the linker will want."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    with open(_library.lib._name, "rb") as file:
        wanted = [
            tuple(map(int, version.name[len("GLIBC_") :].split(".")[:2]))
            for section in ELFFile(file).iter_sections()
            if isinstance(section, GNUVerNeedSection)
            for _, versions in section.iter_versions()
            for version in versions
            if version.name.startswith("GLIBC_")
        ]
    library = Path(_library.lib._name).read_bytes()
    assert hatch_build.glibc_needed(library) == max(wanted)
    assert hatch_build.glibc_needed(b"\0no GLIBC_2.17 here\0") is None
    assert hatch_build.glibc_needed(b"\0GLIBC_2.9\0GLIBC_2.17\0GLIBC_2.2.5\0") == (2, 17)


@needs_cargo
def test_wheel_and_sdist(tmp_path: Path) -> None:
    sdist = build(PACKAGE, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "examples/sign_server.py", "rust/src/lib.rs"} <= packed
    # As pip unpacks it: with the time of now, or cargo would see nothing to compile.
    subprocess.run(["tar", "-xmf", str(sdist)], cwd=tmp_path, check=True)
    source = tmp_path / sdist.name[: -len(".tar.gz")]
    wheel = build(source, "wheel", tmp_path / "wheel")

    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("cosslice", cosslice.__version__, "py3", "none")
    assert platform != "any"
    if sys.platform == "linux" and GLIBC:
        check_with_auditwheel(wheel, platform)
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
