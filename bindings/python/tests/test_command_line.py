"""``python -m cosslice``, run as a user does."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import (
    APP_ID,
    MIB,
    PATIENCE_S,
    SECRET_ID,
    SECRET_KEY,
    Emulator,
    FakeCos,
    content,
    environment,
)
from test_config import decode

import cosslice

COMMAND = [sys.executable, "-m", "cosslice"]


def account(endpoint: str) -> dict[str, str]:
    return environment(
        COSSLICE_APP_ID=APP_ID,
        COSSLICE_SECRET_ID=SECRET_ID,
        COSSLICE_SECRET_KEY=SECRET_KEY,
        COSSLICE_ENDPOINT=endpoint,
        COSSLICE_BUCKET="bkt",
    )


def run(env: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.fixture
def file(tmp_path: Path, path: str) -> Path:
    """4 MiB that no other test has sent."""
    file = tmp_path / "big file.bin"
    name = path.encode()
    file.write_bytes(name + content(4 * MIB)[len(name) :])
    return file


def test_put(emulator: Emulator, path: str, file: Path) -> None:
    done = run(account(emulator.endpoint), "put", file, f"bkt{path}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{path}\n") and done.stdout.startswith("http")
    assert f"{4 * MIB} bytes" in done.stderr
    assert emulator.fetch(path) == file.read_bytes()
    # Once more, under a folder: the name is the file's, and the content is known.
    done = run(account(emulator.endpoint), "put", file, f"bkt{path}.d/")
    assert done.returncode == 0, done.stderr
    assert "had the content already" in done.stderr
    assert emulator.fetch(f"{path}.d/big file.bin") == file.read_bytes()


def test_the_name_is_taken(emulator: Emulator, path: str, file: Path) -> None:
    env = account(emulator.endpoint)
    (file.parent / "other").write_text("other")
    assert run(env, "put", "-q", file.parent / "other", f"bkt{path}").returncode == 0
    done = run(env, "put", file, f"bkt{path}")
    assert done.returncode == 3
    assert done.stderr.startswith("cosslice: ") and "-177" in done.stderr
    assert "\n  request id: " in done.stderr
    assert emulator.fetch(path) == b"other"
    done = run(env, "put", "-q", "--overwrite", file, f"bkt{path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert emulator.fetch(path) == file.read_bytes()


@pytest.mark.parametrize(
    ("env", "arguments", "code"),
    [
        ({}, ["put", "missing", "bkt/a"], 5),
        ({"COSSLICE_SECRET_KEY": "wrong"}, ["put", "FILE", "bkt/a"], 4),
        ({}, ["put", "FILE", "bkt/a?b"], 2),
        ({}, ["put", "--in-flight", "0", "FILE", "bkt/a"], 2),
        ({}, ["put", "--ca-pem", "missing", "FILE", "bkt/a"], 5),
        ({"COSSLICE_ENDPOINT": "http://127.0.0.1:1/"}, ["put", "FILE", "bkt/a"], 1),
        ({}, ["put", "FILE"], 2),
        ({}, [], 2),
    ],
)
def test_failures(
    emulator: Emulator, file: Path, env: dict[str, str], arguments: list[str], code: int
) -> None:
    arguments = [str(file) if argument == "FILE" else argument for argument in arguments]
    done = run({**account(emulator.endpoint), **env}, *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.strip()
    assert done.stdout == ""


def test_verbose(emulator: Emulator, path: str, file: Path) -> None:
    done = run(account(emulator.endpoint), "put", "-vv", file, f"bkt{path}")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) > 1
    assert SECRET_KEY not in done.stderr


def test_interrupt(fake: FakeCos, file: Path) -> None:
    fake.replies["upload_slice_data"] = fake.stall
    # Where the tests run in the background, SIGINT may be ignored, also in children.
    main = (
        "import runpy, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "runpy.run_module('cosslice', run_name='__main__')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", main, "put", str(file), "bkt/a"],
        env=account(fake.endpoint),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert fake.stalled.wait(PATIENCE_S)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "run the same command again to continue" in stderr
    assert "Traceback" not in stderr and "ignored" not in stderr
    assert not fake.closing.is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
def test_progress_bar(emulator: Emulator, path: str, file: Path) -> None:
    import fcntl
    import termios

    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, "put", str(file), f"bkt{path}"],
        env=account(emulator.endpoint),
        stdout=subprocess.DEVNULL,
        stderr=end,
    )
    os.close(end)
    shown = b""
    try:
        while chunk := os.read(terminal, 1 << 16):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(terminal)
    assert process.wait(PATIENCE_S) == 0
    text = shown.decode()
    assert "100%|" in text and "4.00M/4.00M" in text and "B/s" in text


def test_sign(emulator: Emulator) -> None:
    env = account(emulator.endpoint)
    done = run(env, "sign", "/a b", "--expires-in", "100")
    fields = decode(done.stdout.strip())
    assert int(fields["e"]) - int(fields["t"]) in (99, 100)
    assert fields["f"] == f"/{APP_ID}/bkt/a%20b"
    done = run(env, "sign", "/a", "--expires-in", "0", "--bucket", "other")
    fields = decode(done.stdout.strip())
    assert (fields["e"], fields["b"]) == ("0", "other")


def test_version(emulator: Emulator) -> None:
    done = run(environment(), "--version")
    assert done.stdout == f"cosslice {cosslice.__version__}\n"
