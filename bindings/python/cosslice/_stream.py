"""Reading from file objects of any make, in pieces."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .upload import Upload

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE = 1 << 20


def check(fileobj: Any) -> None:
    """Raises TypeError for what is no binary file object, as far as that can be seen."""
    if not callable(getattr(fileobj, "read", None)):
        raise TypeError(f"a file object must have a read method; {type(fileobj).__name__} has none")
    if isinstance(fileobj, io.TextIOBase):
        raise TypeError("the file object must be opened in binary mode")


def position(fileobj: Any) -> int | None:
    """Where it stands, or None if it cannot seek."""
    try:
        if not getattr(fileobj, "seekable", lambda: True)():
            return None
        where = fileobj.tell()
        fileobj.seek(where)
    except (AttributeError, OSError):
        return None
    return int(where)


def rest(fileobj: Any, start: int) -> int | None:
    """Bytes from `start`, where it stands, to its end; None if it cannot tell."""
    try:
        fileobj.seek(0, io.SEEK_END)
    except (OSError, TypeError, ValueError):  # some can seek, but not from the end
        return None
    end = fileobj.tell()
    fileobj.seek(start)
    return max(0, int(end) - start)


def pieces(fileobj: Any, size: int | None) -> Iterator[Buffer]:
    """The next `size` bytes, or all. Each piece is valid until the next one is asked for.

    Ends early where the file object ends, and never reads beyond `size`: a socket would block.
    """
    readinto = getattr(fileobj, "readinto", None)
    memory = memoryview(bytearray(_PIECE if size is None else min(_PIECE, size)))
    left = size
    while left is None or left > 0:
        room = len(memory) if left is None else min(len(memory), left)
        if readinto is not None:
            try:
                length = readinto(memory[:room])
            except (io.UnsupportedOperation, NotImplementedError):
                readinto = None
                continue
            piece: Buffer = memory[: length or 0]
        else:
            piece = fileobj.read(room)
            length = None if piece is None else memoryview(_binary(piece)).nbytes
        if length is None:
            raise BlockingIOError(
                "the file object is non-blocking and has no data; make it blocking, or use "
                "cosslice.open and write to it"
            )
        if length == 0:
            return
        if left is not None:
            left -= length
        yield piece


def feed(upload: Upload, fileobj: Any, size: int, *, start: int | None) -> None:
    """Sends `size` bytes from where `fileobj` stands, which is `start` if it can seek."""
    upload.init(size)
    offset = upload.next_offset or 0
    if start is not None and offset > 0:
        upload.seek(offset)
        fileobj.seek(start + offset)
        size -= offset
    for piece in pieces(fileobj, size):
        upload.feed(piece)
    upload.finish()


def _binary(piece: Any) -> Buffer:
    if isinstance(piece, str):
        raise TypeError("the file object must be opened in binary mode: read returned str")
    return piece  # type: ignore[no-any-return]
