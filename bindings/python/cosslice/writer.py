"""Writer: an object as a binary file that is open for writing."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import warnings
from abc import abstractmethod
from types import TracebackType
from typing import IO, TYPE_CHECKING

from ._callbacks import Progress
from ._constants import Status
from ._stream import feed
from .config import Config
from .errors import make_error
from .upload import Upload

if TYPE_CHECKING:
    from typing_extensions import Buffer, Never, Self

_GATHERED = 256 << 10  # smaller writes are joined: a call of the library costs 20 us
_SPOOL_MEMORY = 8 << 20


def open(
    config: Config,
    path: str,
    size: int | None = None,
    *,
    progress: Progress | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
) -> Writer:
    """Opens the object `path` for writing and returns a binary file object.

    ::

        with cosslice.open(config, "/logs/a.csv", size=size) as file:
            for block in blocks:
                file.write(block)
        print(file.upload.access_url)

    Args:
        config: see `Config`.
        path: the object, e.g. ``/dir/a b.txt``, not encoded.
        size: the object's size in bytes. COS has to know it before the first byte: with it, bytes
            are sent while they are written, and the memory is a few slices. Without it they are
            spooled (up to 8 MiB in memory, more in a temporary file) and sent by `Writer.close`.
        progress: see `Upload`.
        spool_dir: where the temporary file is made, by default where `tempfile` makes them.

    Leaving the ``with`` block completes the object; an exception in it abandons the upload, and
    nothing of it appears under the name. See `Writer` for the rest.

    With a size it blocks for a few requests, and raises what `Upload.init` raises; without one,
    only for a path that COS would refuse.
    """
    upload = Upload(config, path, progress=progress)
    try:
        return start(upload, size, spool_dir)
    except BaseException:
        upload.close()
        raise


def start(
    upload: Upload, size: int | None, spool_dir: str | os.PathLike[str] | None
) -> SizedWriter | SpooledWriter:
    """The work of `open`."""
    if size is None:
        return SpooledWriter(upload, spool_dir)
    upload.init(size)
    return SizedWriter(upload, size)


class Writer(io.BufferedIOBase):
    """An object on its way to COS as a binary file; made by `cosslice.open`.

    It has the methods of any binary file that is open for writing and cannot seek, so that
    `io.TextIOWrapper`, `csv`, `zipfile`, `tarfile`, `gzip`, `shutil.copyfileobj` and the like take
    it. `upload` is the `Upload` behind it, whose properties stay readable after `close`, and whose
    `Upload.cancel` ends a `write` or a `close` that another thread is in.

    `write` and `close` block and raise as the methods of `Upload` do; a `CossliceError` is final.
    To go on, write the same again: what was spooled was hashed, so that the new upload sends only
    what the server lacks. With a size given, the server has an unfinished upload then that holds
    the name: the next config needs the ``resume_token`` of the error or of `upload` to continue it,
    or ``overwrite=Overwrite.UNFINISHED`` to discard it, or else there is a `ConflictError`.

    The object appears when `close` returns, never before. A writer abandons its upload instead

    - when its ``with`` block raises,
    - when `abort` is called,
    - when `close` is called while an exception that came up after `cosslice.open` is being handled:
      wrappers like `io.TextIOWrapper` close what they wrap on the way out of a ``with`` block that
      has failed, and half a content must not take the place of a whole one. The logger
      ``cosslice`` gets a warning then,
    - when it is dropped without being closed (with a `ResourceWarning`).

    One thread at a time; others get `BusyError`. It cannot be used in a child process after a fork.
    """

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self._written = 0
        self._gathered = bytearray()
        self._handled = sys.exc_info()[1]

    @property
    def name(self) -> str:
        """The object's path."""
        return self.upload.path

    @property
    def mode(self) -> str:
        """``wb``, as other files say."""
        return "wb"

    def readable(self) -> bool:
        """False."""
        return False

    def writable(self) -> bool:
        """True, as long as it is open."""
        self._check_open()
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        self._check_open()
        return self._written

    @abstractmethod
    def write(self, data: Buffer, /) -> int:
        """Takes all of a bytes-like object and returns its length."""

    @abstractmethod
    def _complete(self) -> None:
        """Sends what was not sent yet and finishes the upload."""

    def close(self) -> None:
        """Completes the object. Blocks until the server has it; closing again does nothing."""
        if self.closed:
            return
        error = self._failure()
        if error is not None:
            logging.getLogger("cosslice").warning(
                "%s is not written: it is being closed because of %s",
                self.name,
                type(error).__name__,
            )
            self.abort()
            return
        try:
            self._complete()
        finally:
            self.abort()

    def abort(self) -> None:
        """Closes without completing the object. Does nothing when it is closed.

        What the server has of it stays there unseen, so that another upload can continue.
        """
        self._gathered = bytearray()
        self._handled = None  # it refers to frames that may refer to this
        self.upload.close()
        super().close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        # IOBase would close, which completes what is likely to be half a content.
        if not self.closed:
            self.abort()
            warnings.warn(f"{self.name} was not closed: it is not written", ResourceWarning, 2)

    def __reduce__(self) -> Never:
        # A copy would share the upload, and abandon it when it is dropped.
        raise TypeError(f"cannot pickle or copy {type(self).__name__}: it is an open file")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}{' closed' if self.closed else ''}>"

    def _failure(self) -> BaseException | None:
        """The exception that is being handled and came up after it was opened."""
        error = sys.exc_info()[1]
        return None if error is self._handled else error

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


class SizedWriter(Writer):
    """Sends while it is written to: the size is known."""

    def __init__(self, upload: Upload, size: int) -> None:
        super().__init__(upload)
        self._size = size

    def write(self, data: Buffer, /) -> int:
        """Takes all of a bytes-like object and returns its length.

        Blocks while `in_flight` slices are on their way. Raises `SourceChangedError` when more
        bytes come than the size given, and abandons the upload.
        """
        self._check_open()
        view = memoryview(data)
        if self._written + view.nbytes > self._size:
            self.abort()
            raise make_error(
                Status.SOURCE_CHANGED,
                f"{self.name} was opened for {self._size} bytes, but at least "
                f"{self._written + view.nbytes} come: open it with the right size",
            )
        if len(self._gathered) + view.nbytes > _GATHERED:
            self.flush()
        if view.nbytes >= _GATHERED:
            self.upload.feed(view)
        else:
            self._gathered += view
        self._written += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        """Hands over what small writes have gathered. The object appears with `close` only."""
        self._check_open()
        gathered, self._gathered = self._gathered, bytearray()
        if gathered:
            self.upload.feed(gathered)

    def _complete(self) -> None:
        if self._written < self._size:
            raise make_error(
                Status.SOURCE_CHANGED,
                f"{self.name} was opened for {self._size} bytes, but {self._written} came: it is "
                "not written",
            )
        self.flush()
        self.upload.finish()


class SpooledWriter(Writer):
    """Keeps what is written until it is closed: only then the size is known."""

    def __init__(self, upload: Upload, spool_dir: str | os.PathLike[str] | None) -> None:
        super().__init__(upload)
        self._spool_dir = spool_dir
        self._spool: IO[bytes] | None = None

    def write(self, data: Buffer, /) -> int:
        """Takes all of a bytes-like object and returns its length.

        Sends nothing yet. Raises OSError when the temporary file cannot be written.
        """
        self._check_open()
        view = memoryview(data)
        if len(self._gathered) + view.nbytes > self._room:
            self._spill()
        if view.nbytes > self._room:
            self._keep(view)
        else:
            self._gathered += view
        self._written += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        """Does nothing: all is sent when it is closed."""
        self._check_open()

    @property
    def _room(self) -> int:
        return _SPOOL_MEMORY if self._spool is None else _GATHERED

    def _spill(self) -> None:
        if self._spool is None:
            # Without a name where the system can do that: nothing is left after a crash.
            self._spool = tempfile.TemporaryFile(
                prefix="cosslice-", dir=self._spool_dir, buffering=0
            )
        gathered, self._gathered = self._gathered, bytearray()
        self._keep(memoryview(gathered))

    def _keep(self, view: memoryview) -> None:
        assert self._spool is not None
        if self.upload._hashes:
            self.upload.hash(view)
        if view.nbytes:
            view = view.cast("B")
        while view:  # a raw file may take less
            view = view[self._spool.write(view) :]

    def _complete(self) -> None:
        if self._spool is None:
            self.upload.buffer(self._gathered)
            return
        self._spill()
        self._spool.seek(0)
        feed(self.upload, self._spool, self._written, start=0)

    def abort(self) -> None:
        super().abort()
        if self._spool is not None:
            self._spool.close()
