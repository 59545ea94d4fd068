"""`upload_file` and `upload_fileobj`: any source, in one call."""

from __future__ import annotations

import gzip
import io
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import MIB, PATIENCE_S, Emulator, content
from test_resume import interrupt

import cosslice
from cosslice import Phase, Upload

SIZES = [0, 1, MIB, MIB + 1, 5 * MIB + 13]


def unique(path: str, size: int) -> bytes:
    """Content that no other test sends, or the server would have it already."""
    return (path.encode() + content(size))[:size]


def test_upload_file(emulator: Emulator, path: str, tmp_path: Path) -> None:
    data = unique(path, 3 * MIB)
    (tmp_path / "a").write_bytes(data)
    phases = set()
    with emulator.config() as config:
        upload = cosslice.upload_file(
            config, tmp_path / "a", path, progress=lambda phase, *_: phases.add(phase)
        )
        with pytest.raises(cosslice.FileError) as caught:
            cosslice.upload_file(config, tmp_path / "missing", path)
    assert caught.value.filename == str(tmp_path / "missing")
    assert upload.closed and upload.phase is Phase.DONE and upload.access_url.endswith(path)
    assert {Phase.HASHING, Phase.SENDING} <= phases
    assert emulator.fetch(path) == data


class ReadOnly:
    """The least that counts as a file object. Returns fewer bytes than asked, as it likes."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.chance = random.Random(len(data))
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        assert size > 0
        end = min(len(self.data), self.taken + self.chance.randrange(1, size + 1))
        piece = bytes(self.data[self.taken : end])
        self.taken = end
        return piece


class Stream(io.RawIOBase):
    """A raw stream with readinto, which cannot seek."""

    def __init__(self, data: bytes) -> None:
        self.source = ReadOnly(data)

    def readable(self) -> bool:
        return True

    def readinto(self, memory: Any) -> int:
        piece = self.source.read(len(memory))
        memory[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("readinto is there")


class Counting(io.BytesIO):
    """Counts the bytes that were read."""

    count = 0

    def readinto(self, memory: Any) -> int:
        length = super().readinto(memory)
        self.count += length
        return length


@pytest.mark.parametrize("kind", [io.BytesIO, ReadOnly, Stream])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_file_objects(emulator: Emulator, path: str, kind: Any, known: bool, size: int) -> None:
    data = unique(path, size)
    source = kind(data)
    with emulator.config() as config:
        upload = cosslice.upload_fileobj(config, source, path, size=size if known else None)
    assert emulator.fetch(path) == data
    assert upload.closed and upload.bytes_total == size and upload.verified
    if kind is io.BytesIO:
        assert source.tell() == size and not source.closed


@pytest.mark.parametrize("size", [1000, 2 * MIB + 1])
def test_from_where_it_stands(emulator: Emulator, path: str, size: int) -> None:
    data = unique(path, size + 300)
    source = io.BytesIO(data)
    source.seek(100)
    with emulator.config() as config:
        cosslice.upload_fileobj(config, source, path, size=size)
        assert emulator.fetch(path) == data[100 : size + 100]
        assert source.tell() == size + 100  # what follows is the caller's
        cosslice.upload_fileobj(config, source, path + "2")
        assert emulator.fetch(path + "2") == data[size + 100 :]
        cosslice.upload_fileobj(config, source, path + "3")
        assert emulator.fetch(path + "3") == b""


@pytest.mark.parametrize("size", [4, 2 * MIB + 1])
def test_never_reads_beyond_the_size(emulator: Emulator, path: str, size: int) -> None:
    """A socket would block."""
    near, far = socket.socketpair()
    data = unique(path, size)
    with near, far, emulator.config() as config, far.makefile("rb", buffering=0) as source:
        thread = threading.Thread(target=near.sendall, args=(data + b"next",))
        thread.start()
        cosslice.upload_fileobj(config, source, path, size=size)
        thread.join()
        assert source.read(4) == b"next"
    assert emulator.fetch(path) == data


@pytest.mark.parametrize("kind", [io.BytesIO, ReadOnly, Stream])
@pytest.mark.parametrize("size", [10, 2 * MIB])
def test_fewer_bytes_than_said(emulator: Emulator, path: str, kind: Any, size: int) -> None:
    with emulator.config() as config, pytest.raises(cosslice.SourceChangedError):
        cosslice.upload_fileobj(config, kind(unique(path, size - 1)), path, size=size)
    assert not emulator.exists(path)


def test_a_pipe_of_unknown_length(emulator: Emulator, path: str) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'line\\n' * 3_000_000)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process, emulator.config() as config:
        assert process.stdout
        cosslice.upload_fileobj(config, process.stdout, path)
    assert emulator.fetch(path) == b"line\n" * 3_000_000


def test_an_http_response(emulator: Emulator, path: str) -> None:
    data = unique(path, 3 * MIB)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with emulator.config() as config:
        cosslice.upload_fileobj(config, io.BytesIO(data), path)
        source = emulator.origin + f"/1250000000/bkt{path}"
        with opener.open(source) as response:
            cosslice.upload_fileobj(config, response, path + "2", size=response.length)
        with opener.open(source) as response:
            cosslice.upload_fileobj(config, response, path + "3")
    assert emulator.fetch(path + "2") == emulator.fetch(path + "3") == data


def test_files_of_the_library(emulator: Emulator, path: str, tmp_path: Path) -> None:
    data = unique(path, 2 * MIB)
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(data, 1))
    with emulator.config() as config:
        with packed.open("rb") as file:
            cosslice.upload_fileobj(config, file, path + ".gz")
        # Its fileno is that of the packed file, which is shorter.
        with gzip.open(packed) as unpacked:
            cosslice.upload_fileobj(config, unpacked, path)
        with tempfile.SpooledTemporaryFile() as spooled:
            spooled.write(data)
            spooled.seek(1)
            cosslice.upload_fileobj(config, spooled, path + ".tail")
        with packed.open("rb", buffering=0) as raw:
            cosslice.upload_fileobj(config, raw, path + ".raw")
    assert emulator.fetch(path) == data
    assert emulator.fetch(path + ".gz") == emulator.fetch(path + ".raw") == packed.read_bytes()
    assert emulator.fetch(path + ".tail") == data[1:]


def test_a_file_whose_name_is_not_utf8(emulator: Emulator, path: str, tmp_path: Path) -> None:
    name = bytes(tmp_path) + b"/\xff"
    with open(name, "wb") as file:
        file.write(b"data")
    with emulator.config() as config:
        with pytest.raises(cosslice.InvalidArgumentError, match="upload_fileobj"):
            cosslice.upload_file(config, name, path)
        with open(name, "rb") as file:
            cosslice.upload_fileobj(config, file, path)
    assert emulator.fetch(path) == b"data"


@pytest.mark.parametrize("known", [True, False])
def test_what_can_seek_resumes(emulator: Emulator, path: str, known: bool) -> None:
    data = unique(path, 8 * MIB + 5)
    source = Counting(b"before" + data)
    with emulator.config(in_flight=1) as config:
        with pytest.raises(cosslice.CanceledError):
            source.seek(6)
            with Upload(config, path) as upload:
                interrupt(upload)
                cosslice.transfer.send_fileobj(upload, source, len(data) if known else None, None)
        source.seek(6)
        source.count = 0
        with emulator.recorded() as requests:
            upload = cosslice.upload_fileobj(config, source, path)
    assert upload.bytes_resumed is not None and 3 * MIB <= upload.bytes_resumed < len(data)
    sent = [r for r in requests if r["op"] == "upload_slice_data"]
    assert 0 < len(sent) <= 6
    # Once for its digest, and then only what the server lacked first and after that.
    assert len(data) < source.count <= 2 * len(data) - 3 * MIB
    assert emulator.fetch(path) == data


def test_a_known_content_is_not_sent(emulator: Emulator, path: str) -> None:
    data = unique(path, 3 * MIB)
    with emulator.config() as config:
        assert not cosslice.upload_fileobj(config, io.BytesIO(data), path).instant
        source = io.BytesIO(data)
        assert cosslice.upload_fileobj(config, source, path + "2").instant
        assert cosslice.upload_fileobj(config, Stream(9 * data), path + "3").bytes_total
        assert cosslice.upload_fileobj(config, Stream(9 * data), path + "4").instant
    assert emulator.fetch(path + "2") == data


def test_without_hash_it_is_read_once(emulator: Emulator, path: str) -> None:
    data = unique(path, 3 * MIB)
    source = Counting(data)
    with emulator.config(hash=False) as config:
        cosslice.upload_fileobj(config, source, path)
    assert source.count == len(data)
    assert emulator.fetch(path) == data


def test_it_changes_while_it_is_read(emulator: Emulator, path: str) -> None:
    class Flipping(io.BytesIO):
        """Other bytes the second time."""

        passes = 0

        def readinto(self, memory: Any) -> int:
            if self.tell() == 0:
                self.passes += 1
                if self.passes == 2:
                    self.getbuffer()[2 * MIB] ^= 1
            return super().readinto(memory)

    data = unique(path, 3 * MIB)
    with emulator.config() as config, pytest.raises(cosslice.SourceChangedError):
        cosslice.upload_fileobj(config, Flipping(data), path)
    assert not emulator.exists(path)


@pytest.mark.parametrize(
    "source", ["a file name", b"bytes", None, 5, Path("a"), io.StringIO("text")], ids=repr
)
def test_not_a_file_object(emulator: Emulator, path: str, source: Any) -> None:
    with emulator.config() as config, pytest.raises(TypeError, match=r"read method|binary mode"):
        cosslice.upload_fileobj(config, source, path)


def test_text_from_read(emulator: Emulator, path: str) -> None:
    class Text:
        def read(self, size: int, /) -> Any:
            return "text"

    with emulator.config() as config, pytest.raises(TypeError, match="read returned str"):
        cosslice.upload_fileobj(config, Text(), path)


def test_non_blocking_without_data(emulator: Emulator, path: str) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb", buffering=0) as source, emulator.config() as config:
        with pytest.raises(BlockingIOError, match="make it blocking"):
            cosslice.upload_fileobj(config, source, path)
    os.close(writing)


@pytest.mark.parametrize("size", [-1, 1 << 64, 1.5, "4"])
def test_sizes(emulator: Emulator, path: str, size: Any) -> None:
    expected = TypeError if isinstance(size, (float, str)) else cosslice.InvalidArgumentError
    with emulator.config() as config, pytest.raises(expected):
        cosslice.upload_fileobj(config, io.BytesIO(b"data"), path, size=size)


def test_an_exception_of_the_file_object(emulator: Emulator, path: str) -> None:
    class Broken(ReadOnly):
        def read(self, size: int, /) -> bytes:
            if self.taken > MIB:
                raise OSError(5, "the disk is gone")
            return super().read(size)

    for size in (4 * MIB, None):
        with emulator.config(overwrite=2) as config, pytest.raises(OSError, match="disk is gone"):
            cosslice.upload_fileobj(config, Broken(unique(path, 4 * MIB)), path, size=size)
        assert not emulator.exists(path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("way", ["size=SIZE", "size=None"])
def test_memory_is_bounded(emulator: Emulator, path: str, way: str, tmp_path: Path) -> None:
    """Whatever the size: one piece, and a slice for each connection and one more."""
    program = f"""if True:
        import cosslice
        SIZE = 160 << 20

        class Zeros:
            left = SIZE
            def read(self, size):
                size = min(size, self.left)
                self.left -= size
                return bytes(size)

        def peak():
            text = open("/proc/self/status").read()
            return int(text.split("VmHWM:")[1].split()[0]) >> 10

        config = cosslice.Config.from_environment(in_flight=2)
        cosslice.upload_fileobj(config, Zeros(), {path!r}, size=5)
        before = peak()
        cosslice.upload_fileobj(config, Zeros(), {path + "2"!r}, {way}, spool_dir={str(tmp_path)!r})
        print(peak() - before)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=emulator.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    # Without a size, 8 MiB of spool more, and the bytes that make it grow.
    assert int(done.stdout) < (16 if way == "size=SIZE" else 32)
