"""Uploads for asyncio: the event loop goes on while they run.

::

    from cosslice import aio

    upload = await aio.upload_file(config, "a.mp4", "/videos/a.mp4")

    async with aio.open(config, "/logs/a.csv", size=size) as file:
        async for block in blocks:
            await file.write(block)

    async with asyncio.timeout(600):  # or asyncio.wait_for
        await aio.upload_buffer(config, data, "/a")

Each upload has a thread of its own. Cancelling the task that awaits, also by a timeout, cancels the
upload for real: `asyncio.CancelledError` comes when the thread has ended, within 250 ms (a read of
a file object that blocks has to return first), and what the server has stays there for another
upload. To limit how many run at once, use an `asyncio.Semaphore`.

`progress` is called in the event loop's thread; what it raises cancels the upload and comes out of
the ``await``. Signers and loggers are called in the upload's thread, where a signer may block. One
that has to await asks the loop:
``asyncio.run_coroutine_threadsafe(sign(request), loop).result()``.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from . import transfer, writer
from ._callbacks import Progress
from ._constants import Phase
from .config import Config
from .transfer import Readable
from .upload import Upload

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

__all__ = ["AsyncWriter", "open", "upload_buffer", "upload_file", "upload_fileobj"]

T = TypeVar("T")


async def upload_file(
    config: Config,
    file: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    path: str,
    *,
    progress: Progress | None = None,
) -> Upload:
    """As `cosslice.upload_file`, in a thread."""
    upload = Upload(config, path)
    async with _Thread(upload, progress) as thread:
        await thread.run(upload.file, file)
    return upload


async def upload_fileobj(
    config: Config,
    fileobj: Readable,
    path: str,
    *,
    size: int | None = None,
    progress: Progress | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
) -> Upload:
    """As `cosslice.upload_fileobj`, in a thread, in which `fileobj` is read."""
    upload = Upload(config, path)
    async with _Thread(upload, progress) as thread:
        await thread.run(transfer.send_fileobj, upload, fileobj, size, spool_dir)
    return upload


async def upload_buffer(
    config: Config, data: Buffer, path: str, *, progress: Progress | None = None
) -> Upload:
    """Uploads a bytes-like object from where it lies in memory, in a thread.

    It must not change meanwhile. Returns the finished `Upload`.
    """
    upload = Upload(config, path)
    async with _Thread(upload, progress) as thread:
        await thread.run(upload.buffer, data)
    return upload


def open(
    config: Config,
    path: str,
    size: int | None = None,
    *,
    progress: Progress | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
) -> AsyncWriter:
    """As `cosslice.open`, for ``async with``."""
    return AsyncWriter(Upload(config, path), size, progress, spool_dir)


class AsyncWriter:
    """An object to write to by ``await``; made by `cosslice.aio.open`, see `cosslice.Writer`.

    Entering its ``async with`` block starts the upload, leaving it completes the object. An
    exception in it, cancellation included, abandons the upload, and nothing appears under the name.
    """

    def __init__(
        self,
        upload: Upload,
        size: int | None,
        progress: Progress | None,
        spool_dir: str | os.PathLike[str] | None,
    ) -> None:
        self.upload = upload
        """Its properties stay readable afterwards."""
        self._size = size
        self._spool_dir = spool_dir
        self._thread = _Thread(upload, progress)
        self._writer: writer.Writer | None = None

    async def write(self, data: Buffer) -> int:
        """Takes all of a bytes-like object, which must not change meanwhile; returns its length."""
        return await self._thread.run(self._open().write, data)

    async def flush(self) -> None:
        """Hands over what small writes have gathered."""
        await self._thread.run(self._open().flush)

    def tell(self) -> int:
        """How many bytes were written."""
        return self._open().tell()

    async def __aenter__(self) -> Self:
        await self._thread.__aenter__()
        try:
            await self._thread.run(self._start)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened = self._open()
        try:
            if kind is None:
                await self._thread.run(opened.close)
        finally:
            await self._close()

    def _start(self) -> None:
        # Kept here at once: who awaits it may be cancelled when it is there.
        self._writer = writer.start(self.upload, self._size, self._spool_dir)

    async def _close(self) -> None:
        opened, self._writer = self._writer, None
        await self._thread.close(self.upload.close if opened is None else opened.abort)

    def _open(self) -> writer.Writer:
        if self._writer is None:
            raise ValueError("an AsyncWriter is used inside `async with` only")
        return self._writer


class _Thread:
    """The thread of one upload, which is closed at the end."""

    def __init__(self, upload: Upload, progress: Progress | None) -> None:
        self._upload = upload
        self._progress = progress
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, "cosslice-upload")
        if self._progress is not None:
            self._upload.progress = self._hand_over
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close(self._upload.close)

    async def close(self, last: Callable[[], None]) -> None:
        try:
            await self._finish(last)  # it may wait for slices on their way
        finally:
            self._executor.shutdown(wait=False)  # it is idle

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Runs `function`, which uses the upload. Raises when it has ended, cancelled or not."""
        try:
            result = await self._finish(function, *args)
        except asyncio.CancelledError:
            raise
        except BaseException:
            if self._error is None:
                raise
        if self._error is not None:
            raise self._error
        return result

    async def _finish(self, function: Callable[..., T], *args: object) -> T:
        context = contextvars.copy_context()
        future = self._loop.run_in_executor(self._executor, context.run, function, *args)
        canceled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])  # leaves the future alone when it is cancelled
            except asyncio.CancelledError as exc:
                canceled = exc
                self._upload.cancel()
        if canceled is not None:
            future.exception()  # the upload's CanceledError, which nobody is to miss
            raise canceled
        return future.result()

    def _hand_over(self, phase: Phase, bytes_done: int, bytes_total: int) -> None:
        self._loop.call_soon_threadsafe(self._call_progress, phase, bytes_done, bytes_total)

    def _call_progress(self, phase: Phase, bytes_done: int, bytes_total: int) -> None:
        try:
            if self._error is None and self._progress is not None:
                self._progress(phase, bytes_done, bytes_total)
        except BaseException as exc:
            self._error = exc
            self._upload.cancel()
