"""Fork, spawn and pickle: what crosses the border of a process, and what does not."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from conftest import (
    MIB,
    PATIENCE_S,
    SECRET_KEY,
    Emulator,
    FakeCos,
    content,
    environment,
)

import cosslice

METHODS = [
    method for method in ("fork", "spawn") if method in multiprocessing.get_all_start_methods()
]

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def send(prefix: str, number: int) -> str:
    """A task that makes its own config, in whatever process it finds itself."""
    with cosslice.Config.from_environment() as config:
        data = content(MIB + number)
        return cosslice.upload_fileobj(config, io.BytesIO(data), f"{prefix}-{number}").sha1


@pytest.fixture
def account(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment().items():
        if name.startswith("COSSLICE_"):
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.usefixtures("account")
def test_pools(emulator: Emulator, path: str, method: str) -> None:
    send(path, 100)  # the parent has sent, too, and has threads behind it
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        digests = list(pool.map(send, [path] * 6, range(6)))
    assert len(set(digests)) == 6
    for number in range(6):
        assert emulator.fetch(f"{path}-{number}") == content(MIB + number)


def in_child(work: Callable[[], object]) -> str:
    """What `work` returned or raised in a forked child, which then ends as any program does."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            try:
                outcome = repr(work())
            except BaseException as exc:
                outcome = f"{type(exc).__name__}: {exc}"
            os.write(writing, outcome.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        outcome = answers.read()
    os.waitpid(child, 0)
    return outcome


@forks
def test_what_was_made_before_a_fork(emulator: Emulator, path: str) -> None:
    data = path.encode() + content(3 * MIB)
    config = emulator.config()
    upload = cosslice.Upload(config, path)
    sized = cosslice.open(config, path + "2", len(data))
    sized.write(data[:MIB])
    spooled = cosslice.open(config, path + "3")
    spooled.write(data[:MIB])
    for work in (
        lambda: config.update(bucket="b"),
        lambda: config.sign("/a"),
        lambda: cosslice.open(config, "/a"),
        lambda: cosslice.upload_fileobj(config, io.BytesIO(data), "/a"),
        lambda: upload.buffer(data),
        lambda: sized.write(data[MIB:]),
        lambda: spooled.close(),
    ):
        outcome = in_child(work)
        assert outcome.startswith("ForkedError: the handle was made "), outcome
    for harmless in (upload.cancel, upload.close, config.close, sized.abort, spooled.abort):
        assert in_child(harmless) == "None"
    # The child has disturbed nothing.
    sized.write(data[MIB:])
    spooled.write(data[MIB:])
    upload.buffer(data)
    for writer in (sized, spooled):
        writer.close()
    for name in (path, path + "2", path + "3"):
        assert emulator.fetch(name) == data


@forks
def test_a_child_that_ends_by_itself(emulator: Emulator, path: str) -> None:
    """Its interpreter frees what it inherited, which must neither hang nor touch the parent's."""
    program = (
        "import os, sys, cosslice\n"
        "config = cosslice.Config.from_environment()\n"
        f"file = cosslice.open(config, {path!r}, 4 << 20)\n"
        "file.write(b'1' * (3 << 20))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    sys.exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "file.write(b'2' * (1 << 20))\n"
        "file.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=emulator.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert emulator.fetch(path) == b"1" * (3 * MIB) + b"2" * MIB


@forks
def test_a_fork_while_another_thread_uploads(fake: FakeCos) -> None:
    """The child inherits the locks as they are, and nobody who would open them."""
    fake.replies["upload_slice_data"] = fake.stall
    with fake.config() as config, cosslice.Upload(config, "/a") as upload:

        def run() -> None:
            with pytest.raises(cosslice.CanceledError):
                upload.buffer(content(4 * MIB))

        thread = threading.Thread(target=run)
        thread.start()
        assert fake.stalled.wait(PATIENCE_S)
        for lock in (config._lock, upload._lock):
            held = threading.Event()
            leave = threading.Event()

            def hold(lock: Any = lock, held: Any = held, leave: Any = leave) -> None:
                with lock:
                    held.set()
                    leave.wait(PATIENCE_S)

            holder = threading.Thread(target=hold)
            holder.start()
            held.wait(PATIENCE_S)

            def work() -> str:
                signal.alarm(PATIENCE_S // 2)
                upload.cancel()
                with pytest.raises(cosslice.ForkedError):
                    upload.feed(b"data")
                with pytest.raises(cosslice.ForkedError):
                    config.update(bucket="b")
                upload.close()
                config.close()
                return "done"

            assert in_child(work) == "'done'"
            leave.set()
            holder.join()
        assert thread.is_alive()
        upload.cancel()
        thread.join()


@pytest.mark.parametrize("kind", ["config", "upload", "writer"])
@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_no_pickle_and_no_copy(emulator: Emulator, path: str, kind: str, how: Any) -> None:
    """They may know a secret key, which would travel with every task."""
    with emulator.config() as config, cosslice.Upload(config, path) as upload:
        writer = cosslice.open(config, path)
        with pytest.raises(TypeError, match="cannot pickle") as caught:
            how({"config": config, "upload": upload, "writer": writer}[kind])
        writer.abort()
    assert SECRET_KEY not in str(caught.value)
    if kind != "writer":
        assert "from_environment" in str(caught.value)


def test_the_environment(emulator: Emulator, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSSLICE_APP_ID", "wrong")
    with pytest.raises(cosslice.InvalidArgumentError, match="APP_ID"):
        cosslice.Config.from_environment()
    for name, value in emulator.environment().items():
        if name.startswith("COSSLICE_"):
            monkeypatch.setenv(name, value)
    with cosslice.Config.from_environment(bucket="other") as config:
        assert "/other/" in _plain(config.sign("/a"))
    # Neither another key nor a signer mixes with the key of the environment.
    monkeypatch.setenv("COSSLICE_SECRET_ID", "other")
    monkeypatch.setenv("COSSLICE_AUTHORIZATION", "other")
    server = emulator.config()
    with cosslice.Config.from_environment(secret_id="AKIDEXAMPLE", secret_key=SECRET_KEY) as config:
        cosslice.upload_fileobj(config, io.BytesIO(b"key"), path)
    with cosslice.Config.from_environment(
        signer=lambda request: server.sign(request.path, request.expires_at_s)
    ) as config:
        cosslice.upload_fileobj(config, io.BytesIO(b"signer"), path + "2")
    assert emulator.fetch(path) == b"key" and emulator.fetch(path + "2") == b"signer"


def _plain(signature: str) -> str:
    import base64

    return base64.b64decode(signature)[20:].decode()


def test_a_spawned_child_needs_nothing_of_the_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import cosslice, pickle; pickle.dumps(cosslice.upload_file)"],
        env=environment(),
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0
