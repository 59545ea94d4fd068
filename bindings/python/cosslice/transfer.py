"""Whole files and file objects in one call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from . import _stream
from ._arguments import unsigned
from ._callbacks import Progress
from ._constants import Status
from .config import Config
from .errors import make_error
from .upload import Upload
from .writer import SpooledWriter

if TYPE_CHECKING:
    from typing_extensions import Buffer

_SMALL = 1 << 20


class Readable(Protocol):
    """What `upload_fileobj` takes: ``read(n)`` returns up to n bytes, and none at the end only."""

    def read(self, size: int, /) -> Buffer | None:
        """The next bytes."""


def upload_file(
    config: Config,
    file: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    path: str,
    *,
    progress: Progress | None = None,
) -> Upload:
    """Uploads the local `file` as the object `path` and returns the finished `Upload`.

    ::

        print(cosslice.upload_file(config, "a.mp4", "/videos/a.mp4").access_url)

    Called again after a failure it continues where the server stands. Blocks, raises and reports
    `progress` as `Upload.file` does. Sends files as they are; a file that changes meanwhile is
    refused with `SourceChangedError`.
    """
    with Upload(config, path, progress=progress) as upload:
        upload.file(file)
    return upload


def upload_fileobj(
    config: Config,
    fileobj: Readable,
    path: str,
    *,
    size: int | None = None,
    progress: Progress | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
) -> Upload:
    """Uploads what `fileobj` gives from where it stands, and returns the finished `Upload`.

    ::

        with urllib.request.urlopen(url) as response:
            cosslice.upload_fileobj(config, response, "/a", size=response.length)

    Args:
        config: see `Config`.
        fileobj: anything with a ``read`` method, in binary mode; ``readinto`` is used if it is
            there. It is not closed, and stands behind the bytes sent when the call returns.
        path: the object, e.g. ``/dir/a b.txt``, not encoded.
        size: how many bytes to send; never more are read. Fewer raise `SourceChangedError`, and
            nothing is written. By default all until the end.
        progress: see `Upload`.
        spool_dir: see below.

    A `fileobj` that can seek is read twice, for its digest first (unless the option ``hash`` is
    off), so that calling again after a failure continues where the server stands, and content that
    the server has already is not sent. One that cannot seek is read once and sent meanwhile, if
    `size` is given; the error of a failure has a ``resume_token``, with which a new config goes on.
    Without a size it has to be spooled first: 8 MiB in memory, more in a temporary file in
    `spool_dir`.

    Takes 1 MiB of memory beside the library's few slices, whatever the size. Blocks, and raises
    what the methods of `Upload` and `fileobj` raise. Ctrl-C ends it as soon as `fileobj` lets it.
    """
    upload = Upload(config, path, progress=progress)
    with upload:
        send_fileobj(upload, fileobj, size, spool_dir)
    return upload


def send_fileobj(
    upload: Upload,
    fileobj: Any,
    size: int | None,
    spool_dir: str | os.PathLike[str] | None,
) -> None:
    """The work of `upload_fileobj`."""
    _stream.check(fileobj)
    if size is not None:
        size = unsigned(size, "size")
    start = _stream.position(fileobj)
    if size is None and start is not None:
        size = _stream.rest(fileobj, start)
    if size is None:
        with SpooledWriter(upload, spool_dir) as writer:
            for piece in _stream.pieces(fileobj, None):
                writer.write(piece)
    elif size <= _SMALL:  # takes one request instead of three
        content = b"".join(bytes(piece) for piece in _stream.pieces(fileobj, size))
        if len(content) != size:
            raise make_error(
                Status.SOURCE_CHANGED,
                f"the file object gave {len(content)} bytes instead of {size}",
            )
        upload.buffer(content)
    else:
        if start is not None and upload._hashes:
            for piece in _stream.pieces(fileobj, size):
                upload.hash(piece)
            fileobj.seek(start)
        _stream.feed(upload, fileobj, size, start=start)
