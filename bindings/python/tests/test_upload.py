"""Real uploads: what arrives, and what the upload tells about it."""

from __future__ import annotations

import array
import hashlib
import mmap
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import APP_ID, BUCKET, MIB, Emulator, content

import cosslice
from cosslice import Overwrite, Phase, Upload

SIZES = [0, 1, 26585, 36864, MIB - 1, MIB, MIB + 1, 5 * MIB + 13]


def feed_in_pieces(upload: Upload, data: bytes, seed: int) -> None:
    chance = random.Random(seed)
    view = memoryview(data)
    while view:
        size = chance.choice([0, 1, chance.randrange(1, 5000), chance.randrange(1, 3 * MIB)])
        upload.feed(view[:size])
        view = view[size:]


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("mode", ["file", "buffer", "feed"])
@pytest.mark.parametrize("size", SIZES)
def test_arrives(
    emulator: Emulator, path: str, tmp_path: Path, size: int, mode: str, hashed: bool
) -> None:
    # Different content in each test: else the server would have it already.
    data = content(size)[:-1] + f"{mode}{hashed}".encode()[:1] if size else b""
    with emulator.config(hash=hashed) as config, Upload(config, path) as upload:
        if mode == "file":
            (tmp_path / "a").write_bytes(data)
            upload.file(tmp_path / "a")
        elif mode == "buffer":
            upload.buffer(data)
        else:
            if hashed:
                upload.hash(data)
            upload.init(size)
            feed_in_pieces(upload, data, seed=size)
            upload.finish()
    assert emulator.fetch(path) == data
    assert upload.phase is Phase.DONE
    assert upload.bytes_total == upload.bytes_done == size
    assert upload.resource_path == f"/{APP_ID}/{BUCKET}{path}"
    assert upload.access_url.endswith(path)
    if hashed:
        assert upload.sha1 == hashlib.sha1(data).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "中文/文件.txt",
        "emoji 🚀.bin",
        "a b  c",
        "1+1",
        "100%",
        "%41",
        "~tilde",
        "a&b=c;d@e,f!(g)'h",
    ],
)
def test_names(emulator: Emulator, name: str) -> None:
    path = f"/names/{name}"
    data = name.encode()
    with emulator.config() as config, Upload(config, path) as upload:
        upload.buffer(data)
    assert emulator.fetch(path) == data


@pytest.mark.parametrize(
    "data",
    [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"--view--")[2:6],
        array.array("d", [1.5, 2.5]),
        memoryview(array.array("H", [1, 2, 3])),
    ],
    ids=lambda data: f"{type(data).__name__}{len(data)}",
)
@pytest.mark.parametrize("mode", ["buffer", "feed"])
def test_bytes_like(emulator: Emulator, path: str, data: Any, mode: str) -> None:
    expected = bytes(memoryview(data).cast("B"))
    with emulator.config() as config, Upload(config, path) as upload:
        if mode == "buffer":
            upload.buffer(data)
        else:
            upload.hash(data)
            upload.init(len(expected))
            upload.feed(data)
            upload.finish()
    assert emulator.fetch(path) == expected


def test_numpy(emulator: Emulator, path: str) -> None:
    numpy = pytest.importorskip("numpy")
    matrix = numpy.arange(300_000, dtype="f8").reshape(300, 1000)
    matrix.flags.writeable = False
    with emulator.config() as config, Upload(config, path) as upload:
        with pytest.raises((BufferError, ValueError)):
            upload.buffer(matrix.T)  # not contiguous
        upload.buffer(matrix)
    assert emulator.fetch(path) == matrix.tobytes()


def test_read_only_mmap(emulator: Emulator, path: str, tmp_path: Path) -> None:
    data = content(2 * MIB + 1)
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with emulator.config() as config, Upload(config, path) as upload:
            upload.buffer(mapped)
        mapped.close()  # fails with BufferError while the memory is borrowed
    assert emulator.fetch(path) == data


def test_the_buffer_is_borrowed_during_the_call_only(emulator: Emulator, path: str) -> None:
    data = bytearray(content(2 * MIB))
    errors: list[type] = []

    def grow(*_: object) -> None:
        try:
            data.append(0)
        except BufferError as exc:
            errors.append(type(exc))

    with emulator.config() as config, Upload(config, path, progress=grow) as upload:
        upload.buffer(data)
    assert errors and len(data) == 2 * MIB
    data.append(0)


@pytest.mark.parametrize("data", ["text", 5, None])
def test_not_bytes_like(emulator: Emulator, path: str, data: Any) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        with pytest.raises(TypeError, match="bytes-like"):
            upload.buffer(data)


@pytest.mark.parametrize("kind", [str, bytes, Path])
def test_file_paths(emulator: Emulator, path: str, tmp_path: Path, kind: Any) -> None:
    local = tmp_path / "本地 file é"
    local.write_bytes(b"local")
    name = str(local).encode() if kind is bytes else kind(local)
    with emulator.config() as config, Upload(config, path) as upload:
        upload.file(name)
    assert emulator.fetch(path) == b"local"


def test_a_file_path_that_is_not_utf8(emulator: Emulator, path: str, tmp_path: Path) -> None:
    name = bytes(tmp_path) + b"/\xff"
    with emulator.config() as config, Upload(config, path) as upload:
        with pytest.raises(cosslice.InvalidArgumentError, match="UTF-8"):
            upload.file(name)


def test_instant_upload(emulator: Emulator, path: str) -> None:
    data = content(3 * MIB + 7)
    with emulator.config() as config:
        for copy in ("a", "b"):
            with Upload(config, path + copy) as upload:
                upload.buffer(data)
            assert upload.instant is (copy == "b")
            assert emulator.fetch(path + copy) == data


def test_overwrite(emulator: Emulator, path: str) -> None:
    for data in (b"old", b"new"):
        with emulator.config(overwrite=Overwrite.OBJECT) as config:
            with Upload(config, path) as upload:
                upload.buffer(data)
    assert emulator.fetch(path) == b"new"


def test_progress(emulator: Emulator, path: str) -> None:
    size = 4 * MIB + 5
    seen: list[tuple[Phase, int, int]] = []
    threads = set()

    def progress(phase: Phase, bytes_done: int, bytes_total: int) -> bool:
        seen.append((phase, bytes_done, bytes_total))
        threads.add(threading.get_ident())
        return True  # what it returns does not matter

    with emulator.config(in_flight=1) as config, Upload(config, path, progress=progress) as upload:
        upload.buffer(content(size))
    sending = [done for phase, done, _ in seen if phase is Phase.SENDING]
    assert sending == sorted(sending) and len(set(sending)) >= 5
    assert {total for phase, _, total in seen if phase is Phase.SENDING} == {size}
    phases = [phase for phase, _, _ in seen]
    assert phases == sorted(phases) and Phase.HASHING in phases
    assert threads == {threading.get_ident()}


def test_properties_before_and_after(emulator: Emulator, path: str) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        assert upload.path == path
        assert upload.phase is Phase.IDLE
        assert upload.bytes_total is None
        assert upload.http_status is None and upload.server_code is None
        assert not upload.instant and not upload.verified and not upload.retryable
        assert upload.access_url == upload.message == ""
        upload.buffer(content(MIB + 9))
        inside = {name: getattr(upload, name) for name in PROPERTIES}
    assert inside == {name: getattr(upload, name) for name in PROPERTIES}
    assert inside["slice_size"] == MIB
    assert inside["bytes_resumed"] == 0
    assert inside["retries"] == 0
    assert inside["verified"] is True


PROPERTIES = [name for name, value in vars(Upload).items() if isinstance(value, property)]


def test_every_info_has_a_property() -> None:
    assert {info.name.lower() for info in cosslice._constants.Info} <= set(PROPERTIES)


def test_threads_share_a_config(emulator: Emulator, path: str) -> None:
    config = emulator.config(in_flight=2)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with Upload(config, f"{path}-{number}") as upload:
                upload.buffer(content(2 * MIB + number))
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    config.close()
    assert not failures
    for number in range(6):
        assert emulator.fetch(f"{path}-{number}") == content(2 * MIB + number)


def test_the_config_may_be_closed_first(emulator: Emulator, path: str) -> None:
    config = emulator.config()
    with Upload(config, path) as upload:
        config.close()
        upload.buffer(b"data")
    assert emulator.fetch(path) == b"data"
