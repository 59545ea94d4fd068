"""`cosslice.open`: a binary file object whose content is an object."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import os
import random
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import MIB, PATIENCE_S, Emulator, FakeCos, content

import cosslice
from cosslice import Phase, writer

SIZES = [0, 1, 262_143, 262_144, 262_145, MIB, 3 * MIB + 7, 9 * MIB + 1]


def pieces(data: bytes, seed: int) -> Iterator[memoryview]:
    chance = random.Random(seed)
    view = memoryview(data)
    while view:
        length = chance.choice(
            [0, 1, 7, chance.randrange(1, 9000), 262_144, chance.randrange(1, 2 * MIB)]
        )
        yield view[:length]
        view = view[length:]


@pytest.fixture(params=["sized", "spooled"])
def sized(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "sized")


def unique(path: str, size: int) -> bytes:
    """Content that no other test sends, or the server would have it already."""
    return (path.encode() + content(size))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_arrives(emulator: Emulator, path: str, size: int, sized: bool) -> None:
    data = unique(path, size)
    written = 0
    with emulator.config() as config:
        with cosslice.open(config, path, size if sized else None) as file:
            for piece in pieces(data, seed=size):
                assert file.write(piece) == len(piece)
                written += len(piece)
                assert file.tell() == written
            if size:
                assert not emulator.exists(path)
    assert emulator.fetch(path) == data
    assert file.closed and file.upload.phase is Phase.DONE
    assert file.upload.bytes_total == size and file.upload.access_url.endswith(path)
    file.close()  # again, which does nothing


def test_memory_is_bounded(emulator: Emulator, path: str, tmp_path: Path) -> None:
    data = unique(path, MIB)
    with emulator.config() as config:
        with cosslice.open(config, path, spool_dir=tmp_path) as file:
            for _ in range(20):
                file.write(data)
                assert len(file._gathered) <= 8 * MIB
            # What was spooled has no name: nothing is left of it, whatever happens.
            assert os.listdir(tmp_path) == []
    assert emulator.objects(path) == {path: 20 * MIB}


def test_a_spool_that_cannot_be_made(emulator: Emulator, path: str, tmp_path: Path) -> None:
    with emulator.config() as config, pytest.raises(FileNotFoundError):
        with cosslice.open(config, path, spool_dir=tmp_path / "missing") as file:
            file.write(bytes(9 * MIB))
    assert not emulator.exists(path)


@pytest.mark.parametrize("data", ["text", None, 5])
def test_not_bytes(emulator: Emulator, path: str, sized: bool, data: Any) -> None:
    with emulator.config() as config, cosslice.open(config, path, 4 if sized else None) as file:
        with pytest.raises(TypeError, match="bytes-like"):
            file.write(data)
        file.write(b"data")  # nothing was lost
    assert emulator.fetch(path) == b"data"


def test_any_shape_of_bytes(emulator: Emulator, path: str, sized: bool) -> None:
    numpy = pytest.importorskip("numpy")
    small = numpy.arange(6, dtype="u2").reshape(2, 3)
    large = numpy.arange(1_500_000, dtype="f8").reshape(1500, 1000)
    expected = small.tobytes() + large.tobytes()
    with emulator.config() as config:
        with cosslice.open(config, path, len(expected) if sized else None) as file:
            assert file.write(small) == small.nbytes
            assert file.write(numpy.empty((0, 3))) == 0
            assert file.write(large) == large.nbytes
    assert emulator.fetch(path) == expected


def test_what_was_written_may_change(emulator: Emulator, path: str, sized: bool) -> None:
    memory = bytearray(b"1" * 300_000)
    with emulator.config() as config:
        with cosslice.open(config, path, 600_000 if sized else None) as file:
            file.write(memory)
            memory[:] = b"2" * 300_000
            file.write(memory)
    assert emulator.fetch(path) == b"1" * 300_000 + b"2" * 300_000


@pytest.mark.parametrize(("size", "more"), [(0, 1), (10, 11), (2 * MIB, 2 * MIB + 1)])
def test_too_many_bytes(emulator: Emulator, path: str, size: int, more: int) -> None:
    with emulator.config() as config:
        with pytest.raises(cosslice.SourceChangedError, match=f"{size} bytes.*{more} come"):
            with cosslice.open(config, path, size) as file:
                file.write(content(more))
        assert file.closed and not emulator.exists(path)
        file = cosslice.open(config, path + "2", size)
        file.write(bytes(size))
        with pytest.raises(cosslice.SourceChangedError):
            file.write(b"x")
        with pytest.raises(ValueError, match="closed"):
            file.write(b"x")
        file.close()
    assert not emulator.exists(path + "2")


@pytest.mark.parametrize("less", [0, 1, 2 * MIB - 1])
def test_too_few_bytes(emulator: Emulator, path: str, less: int) -> None:
    with emulator.config() as config:
        with pytest.raises(cosslice.SourceChangedError, match=f"{2 * MIB} bytes, but {less} came"):
            with cosslice.open(config, path, 2 * MIB) as file:
                file.write(bytes(less))
        assert file.closed and not emulator.exists(path)


class Oops(Exception):
    pass


def test_an_exception_in_the_block_abandons(emulator: Emulator, path: str, sized: bool) -> None:
    data = unique(path, 3 * MIB)
    with emulator.config() as config:
        with pytest.raises(Oops):
            with cosslice.open(config, path, len(data) if sized else None) as file:
                file.write(data)
                raise Oops
        assert file.closed and not emulator.exists(path)
        # An object that is there stays whole.
        config.update(overwrite=cosslice.Overwrite.UNFINISHED)
        with cosslice.open(config, path) as file:
            file.write(b"whole")
        with pytest.raises(Oops):
            with cosslice.open(config, path, 4 if sized else None) as file:
                file.write(b"half")
                raise Oops
    assert emulator.fetch(path) == b"whole"


def test_abort(emulator: Emulator, path: str, sized: bool) -> None:
    with emulator.config() as config:
        with cosslice.open(config, path, 4 if sized else None) as file:
            file.write(b"data")
            file.abort()
        file.abort()
        assert file.closed and not emulator.exists(path)


def test_a_wrapper_that_closes_on_the_way_out(
    emulator: Emulator, path: str, sized: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """`io.TextIOWrapper` closes what it wraps whatever happened in its block."""
    with emulator.config() as config:
        with pytest.raises(Oops):
            with io.TextIOWrapper(cosslice.open(config, path, 4 if sized else None)) as text:
                text.write("half")
                text.flush()
                raise Oops
        assert not emulator.exists(path)
        assert f"{path} is not written" in caplog.text and "Oops" in caplog.text
        # An exception that is older says nothing about the content.
        config.update(overwrite=cosslice.Overwrite.UNFINISHED)
        try:
            raise Oops
        except Oops:
            with cosslice.open(config, path, 5 if sized else None) as file:
                file.write(b"whole")
    assert emulator.fetch(path) == b"whole"


def test_dropped_without_close(emulator: Emulator, path: str, sized: bool) -> None:
    with emulator.config() as config:
        file = cosslice.open(config, path, 4 if sized else None)
        file.write(b"data")
        with pytest.warns(ResourceWarning, match=path):
            del file
            gc.collect()
    assert not emulator.exists(path)


def test_what_it_can_do(emulator: Emulator, path: str, sized: bool) -> None:
    with emulator.config() as config, cosslice.open(config, path, 4 if sized else None) as file:
        assert isinstance(file, io.BufferedIOBase) and isinstance(file, cosslice.Writer)
        assert file.writable() and not file.readable() and not file.seekable()
        assert (file.name, file.mode) == (path, "wb") and path in repr(file)
        for refused in (file.read, file.readline, file.fileno, file.truncate, file.detach):
            with pytest.raises(io.UnsupportedOperation):
                refused()
        with pytest.raises(io.UnsupportedOperation):
            file.seek(0)
        file.writelines([b"da", b"ta"])
        file.flush()
    for closed in (file.writable, file.tell, file.flush, file.__enter__):
        with pytest.raises(ValueError, match="closed"):
            closed()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"")
    assert emulator.fetch(path) == b"data"


def test_the_library_s_file_formats(emulator: Emulator, path: str, tmp_path: Path) -> None:
    """What takes any file object takes this one."""
    member = tmp_path / "member"
    member.write_bytes(content(300_000))
    with emulator.config() as config:
        with cosslice.open(config, path + ".csv") as raw:
            with io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
                csv.writer(text).writerows([["ä", 1], ["b", 2]])
        with cosslice.open(config, path + ".gz") as raw, gzip.open(raw, "wb") as packed:
            packed.write(member.read_bytes())
        with cosslice.open(config, path + ".zip") as raw, zipfile.ZipFile(raw, "w") as archive:
            archive.write(member, "member")
        with cosslice.open(config, path + ".tar") as raw:
            with tarfile.open(fileobj=raw, mode="w|") as tar:
                tar.add(member, "member")
        with cosslice.open(config, path + ".copy", member.stat().st_size) as raw:
            with member.open("rb") as source:
                shutil.copyfileobj(source, raw)
    assert emulator.fetch(path + ".csv").decode() == "ä,1\r\nb,2\r\n"
    assert gzip.decompress(emulator.fetch(path + ".gz")) == member.read_bytes()
    with zipfile.ZipFile(io.BytesIO(emulator.fetch(path + ".zip"))) as archive:
        assert archive.read("member") == member.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(emulator.fetch(path + ".tar"))) as tar:
        extracted = tar.extractfile("member")
        assert extracted and extracted.read() == member.read_bytes()
    assert emulator.fetch(path + ".copy") == member.read_bytes()


def test_failures_come_early_when_the_size_is_known(emulator: Emulator, path: str) -> None:
    with emulator.config() as config:
        for size in (4, None):
            with pytest.raises(cosslice.InvalidArgumentError):
                cosslice.open(config, "no-slash", size)
        with pytest.raises(cosslice.InvalidArgumentError, match="range"):
            cosslice.open(config, path, -1)
        with pytest.raises(TypeError):
            cosslice.open(config, path, 1.5)  # type: ignore[arg-type]
        cosslice.open(config, path, 0).close()
        with pytest.raises(cosslice.ExistsError) as caught:
            cosslice.open(config, path, 4)
        assert isinstance(caught.value, FileExistsError)
        with cosslice.open(config, path) as file:
            file.write(b"data")
            with pytest.raises(cosslice.ExistsError):
                file.close()
            assert file.closed
    assert emulator.fetch(path) == b""


def test_written_again_it_continues(emulator: Emulator, path: str) -> None:
    data = unique(path, 12 * MIB)

    def fail(phase: Phase, bytes_done: int, bytes_total: int) -> None:
        if phase is Phase.SENDING and bytes_done >= 3 * MIB:
            raise Oops

    with emulator.config(in_flight=1) as config:
        with pytest.raises(Oops):
            with cosslice.open(config, path, progress=fail) as file:
                file.write(data)
        with cosslice.open(config, path) as file:
            file.write(data)
        resumed = file.upload.bytes_resumed
        assert resumed is not None and 3 * MIB <= resumed < len(data)
        assert emulator.fetch(path) == data
        # With a size it takes the token of the one before.
        with pytest.raises(Oops):
            with cosslice.open(config, path + "2", len(data), progress=fail) as file:
                file.write(data)
        config.update(resume_token=file.upload.resume_token)
        with cosslice.open(config, path + "2", len(data)) as file:
            file.write(data)
        resumed = file.upload.bytes_resumed
        assert resumed is not None and 3 * MIB <= resumed < len(data)
        assert emulator.fetch(path + "2") == data


def test_without_hash_nothing_is_hashed(emulator: Emulator, path: str) -> None:
    with emulator.config(hash=False) as config, cosslice.open(config, path) as file:
        file.write(content(9 * MIB))
        assert file.upload.phase is Phase.IDLE
    assert emulator.fetch(path) == content(9 * MIB)


def test_canceled_by_another_thread(fake: FakeCos) -> None:
    fake.replies["upload_slice_data"] = fake.stall

    def cancel() -> None:
        fake.stalled.wait(PATIENCE_S)
        file.upload.cancel()

    with fake.config() as config, pytest.raises(cosslice.CanceledError):
        with cosslice.open(config, "/a", 8 * MIB) as file:
            thread = threading.Thread(target=cancel)
            thread.start()
            file.write(content(8 * MIB))
    thread.join()
    assert not fake.closing.is_set() and file.closed


def test_help_says_what_it_is() -> None:
    for documented in (cosslice.open, cosslice.Writer, writer.SizedWriter, writer.SpooledWriter):
        assert documented.__doc__
