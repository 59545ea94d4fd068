"""Interrupted uploads continue, and only with the same content."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import MIB, Emulator, content

import cosslice
from cosslice import Overwrite, Phase, Upload

SIZE = 8 * MIB + 77


def interrupt(upload: Upload, after: int = 3 * MIB) -> None:
    """Lets `upload` cancel itself once `after` bytes are acknowledged."""

    def progress(phase: Phase, bytes_done: int, bytes_total: int) -> None:
        if phase is Phase.SENDING and bytes_done >= after:
            upload.cancel()

    upload.progress = progress


@pytest.mark.parametrize("mode", ["file", "buffer"])
def test_resume(emulator: Emulator, path: str, tmp_path: Path, mode: str) -> None:
    data = mode.encode() + content(SIZE)
    (tmp_path / "a").write_bytes(data)
    config = emulator.config(in_flight=1)
    with Upload(config, path) as upload:
        interrupt(upload)
        with pytest.raises(cosslice.CanceledError) as caught:
            upload.file(tmp_path / "a") if mode == "file" else upload.buffer(data)
        assert caught.value.resume_token == upload.resume_token
    with Upload(config, path) as upload:
        upload.file(tmp_path / "a") if mode == "file" else upload.buffer(data)
    assert upload.bytes_resumed is not None and 3 * MIB <= upload.bytes_resumed < len(data)
    assert emulator.fetch(path) == data


def test_a_token_resumes_without_a_hash(emulator: Emulator, path: str) -> None:
    data = b"token" + content(SIZE)
    with emulator.config(in_flight=1) as config, Upload(config, path) as upload:
        interrupt(upload)
        upload.init(len(data))
        with pytest.raises(cosslice.CanceledError):
            upload.feed(data)
    token = upload.resume_token  # readable after close
    assert token and token.isascii() and token.isprintable()
    with emulator.config(resume_token=token) as config, Upload(config, path) as upload:
        upload.init(len(data))
        offset = upload.next_offset
        assert offset is not None and offset >= 3 * MIB
        upload.seek(offset)
        upload.feed(memoryview(data)[offset:])
        upload.finish()
    assert upload.bytes_resumed == offset
    assert emulator.fetch(path) == data


def test_other_content_is_a_conflict(emulator: Emulator, path: str) -> None:
    with emulator.config(in_flight=1) as config, Upload(config, path) as upload:
        interrupt(upload)
        with pytest.raises(cosslice.CanceledError):
            upload.buffer(b"first" + content(SIZE))
    other = b"other" + content(SIZE)
    with emulator.config() as config, Upload(config, path) as upload:
        with pytest.raises(cosslice.ConflictError) as caught:
            upload.buffer(other)
        assert str(caught.value)
    with emulator.config(overwrite=Overwrite.UNFINISHED) as config:
        with Upload(config, path) as upload:
            upload.buffer(other)
    assert emulator.fetch(path) == other
