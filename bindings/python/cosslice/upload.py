"""Upload: one object on its way to COS."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _arguments, _callbacks
from ._arguments import decode, unsigned
from ._buffers import borrowed
from ._calls import run
from ._constants import Info, Phase, Status
from ._handle import Handle
from ._library import lib
from .config import Config
from .errors import CossliceError, FileError, make_error

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Upload(Handle):
    """One upload of one object.

    Either the whole content by `file` or `buffer`, or in pieces: `hash` (optional) over all of
    it, then `init`, `seek` (optional), `feed` over all of it and `finish`::

        with Upload(config, "/videos/a.mp4") as upload:
            upload.file("a.mp4")
        print(upload.access_url)

    Args:
        config: copied, so later changes of it do not matter.
        path: the object, e.g. ``/dir/a b.txt``, not encoded.
        progress: called with the `Phase`, the bytes done and the bytes in total, on the thread
            that is inside a call, about ten times a second and after each slice. To stop the
            upload it calls `cancel` or raises; an exception is raised again by the call.

    The methods that send block until the server has answered, `feed` only while too many slices
    are on their way; other threads run meanwhile. They raise a `CossliceError`, which is final
    (but for calls that are refused for their arguments or their order, and change nothing): to go
    on, make another upload, which continues where the server stands if the content is known to be
    the same (it was hashed, or `resume_token` is given to its config). Ctrl-C ends a call as
    `cancel` does.

    One thread at a time may be inside a method, others get `BusyError`. `cancel`, `close` and
    all properties may be used from any thread and in callbacks. Numbers are None and texts empty
    while they are not known; texts also while a call is running. Properties stay readable after
    `close`.
    """

    def __init__(
        self, config: Config, path: str, *, progress: _callbacks.Progress | None = None
    ) -> None:
        encoded = _arguments.text(path, "the object path")
        handle = ctypes.c_void_p()
        config._call(lib.cosslice_upload_new, encoded, ctypes.byref(handle))
        super().__init__(handle, lib.cosslice_upload_free)
        self.path = path
        self._hashes = config._hashes
        self._cancel = functools.partial(lib.cosslice_upload_cancel, handle)
        self._closing = False
        self._final: dict[Info, str | int] = {}
        # Always set, for Ctrl-C is noticed when the library calls back.
        self._hook = _callbacks.ProgressHook(progress)
        self._check(
            _callbacks.register(
                lib.cosslice_upload_set_progress, handle, _callbacks.progress, target=self._hook
            )
        )

    def _unlock(self) -> None:
        # The lock guards `_caller`, `_closing` and `_final`, and keeps the handle alive in short
        # calls.
        super()._unlock()
        self._caller: object | None = None

    @property
    def progress(self) -> _callbacks.Progress | None:
        """The progress callback, which can be exchanged at any time."""
        return self._hook.progress

    @progress.setter
    def progress(self, progress: _callbacks.Progress | None) -> None:
        self._hook.progress = progress

    # Sending

    def hash(self, data: Buffer) -> None:
        """Takes the next bytes of an optional first pass over the content, before `init`.

        It allows an instant upload, a check by the server and safe resume. Sends nothing.
        """
        with borrowed(data) as (address, length):
            self._call(lib.cosslice_upload_hash, address, length)

    def init(self, total_size: int) -> None:
        """Starts or continues the upload of `total_size` bytes."""
        self._call(lib.cosslice_upload_init, unsigned(total_size, "total_size"))

    def seek(self, offset: int) -> None:
        """Says that the next `feed` starts at `offset`, which is at most `next_offset`."""
        self._call(lib.cosslice_upload_seek, unsigned(offset, "offset"))

    def feed(self, data: Buffer) -> None:
        """Takes the next bytes, as many as there are; they are copied before it returns."""
        with borrowed(data) as (address, length):
            self._call(lib.cosslice_upload_feed, address, length)

    def finish(self) -> None:
        """Sends what is left and makes the object complete; afterwards it has its URLs."""
        self._call(lib.cosslice_upload_finish)

    def file(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> None:
        """Uploads a whole file. Raises `FileError` if it cannot be read."""
        try:
            self._call(lib.cosslice_upload_file, _arguments.file_path(path))
        except FileError as exc:
            exc.filename = os.fspath(path)
            raise

    def buffer(self, data: Buffer) -> None:
        """Uploads a whole bytes-like object from where it lies in memory."""
        with borrowed(data) as (address, length):
            self._call(lib.cosslice_upload_buffer, address, length)

    # Ending

    def cancel(self) -> None:
        """Ends the upload: a call in progress raises `CanceledError` within 250 ms.

        Never blocks. What the server has remains there, so another upload can continue.
        """
        with self._lock:
            if self._free.alive:
                self._cancel()

    def close(self) -> None:
        """Frees the upload, and cancels it if it is not finished.

        When another thread, or the callback that closes, is inside a method, that method is
        cancelled and frees the upload when it returns. Closing again does nothing.
        """
        with self._lock:
            if self._caller is not None:
                self._closing = True
                self._cancel()
            elif self._free.alive:
                self._final = {info: self._read(info) for info in Info}
                super().close()

    # Results

    @property
    def access_url(self) -> str:
        """Where the object can be fetched through the CDN."""
        return self._text(Info.ACCESS_URL)

    @property
    def source_url(self) -> str:
        """Where the object can be fetched from its origin."""
        return self._text(Info.SOURCE_URL)

    @property
    def resource_path(self) -> str:
        """``/appid/bucket/path`` of the object."""
        return self._text(Info.RESOURCE_PATH)

    @property
    def url(self) -> str:
        """Where the object can be managed."""
        return self._text(Info.URL)

    @property
    def preview_url(self) -> str:
        """Where the object is previewed, if COS said so."""
        return self._text(Info.PREVIEW_URL)

    @property
    def vid(self) -> str:
        """The id of an operation that the upload started, if COS said so."""
        return self._text(Info.VID)

    @property
    def sha1(self) -> str:
        """SHA-1 of the content in hex, where it is known."""
        return self._text(Info.SHA1)

    @property
    def instant(self) -> bool:
        """The server had the content already, nothing was sent."""
        return self._number(Info.INSTANT) == 1

    @property
    def verified(self) -> bool:
        """The server has confirmed the content."""
        return self._number(Info.VERIFIED) == 1

    # State

    @property
    def phase(self) -> Phase:
        """What the upload is doing."""
        return Phase(self._number(Info.PHASE))

    @property
    def bytes_total(self) -> int | None:
        """Bytes of the content."""
        return self._known(Info.BYTES_TOTAL)

    @property
    def bytes_done(self) -> int | None:
        """Bytes that the server has acknowledged; never decreases."""
        return self._known(Info.BYTES_DONE)

    @property
    def bytes_resumed(self) -> int | None:
        """Of `bytes_done`, those that the server had already."""
        return self._known(Info.BYTES_RESUMED)

    @property
    def next_offset(self) -> int | None:
        """The first byte that the server lacks: where a caller that can seek goes on."""
        return self._known(Info.NEXT_OFFSET)

    @property
    def slice_size(self) -> int | None:
        """Bytes per slice, as the server wants them."""
        return self._known(Info.SLICE_SIZE)

    @property
    def retries(self) -> int | None:
        """How many requests were sent again so far."""
        return self._known(Info.RETRIES)

    @property
    def resume_token(self) -> str:
        """The option ``resume_token`` for an upload that continues this one."""
        return self._text(Info.RESUME_TOKEN)

    # The last failure

    @property
    def message(self) -> str:
        """Why the last call failed, in one sentence."""
        return self._text(Info.MESSAGE)

    @property
    def server_code(self) -> int | None:
        """COS's code of the last failure, e.g. -177."""
        return self._known(Info.SERVER_CODE)

    @property
    def server_message(self) -> str:
        """COS's own words about the last failure."""
        return self._text(Info.SERVER_MESSAGE)

    @property
    def http_status(self) -> int | None:
        """The HTTP status of the reply that the last failure is about."""
        return self._known(Info.HTTP_STATUS)

    @property
    def request_id(self) -> str:
        """What the provider's support asks for."""
        return self._text(Info.REQUEST_ID)

    @property
    def os_error(self) -> int | None:
        """The errno of a local failure."""
        return self._known(Info.OS_ERROR)

    @property
    def retryable(self) -> bool:
        """Whether the same upload may succeed later without a change."""
        return self._number(Info.RETRYABLE) == 1

    def _call(self, function: Callable[..., Any], *args: object) -> None:
        """Calls `function` as the only one; raises when it fails."""
        caller = object()
        try:
            with self._lock:
                if self._closing or not self._free.alive:
                    raise make_error(Status.STATE, "the upload is closed")
                if self._caller is not None:
                    raise make_error(
                        Status.BUSY, "another thread, or the callback you are in, uses the upload"
                    )
                self._caller = caller
            self._check(run(function, self._handle, *args, cancel=self._cancel))
        finally:
            with self._lock:
                if self._caller is caller:
                    self._caller = None
                    if self._closing:
                        self.close()

    def _check(self, status: int) -> None:
        if status != Status.OK:
            raise self._error(status)

    def _error(self, status: int) -> CossliceError:
        """The failure of the call that this thread has just made."""

        def number(info: Info) -> int | None:
            value = int(self._read(info))
            return None if value == -1 else value

        def text(info: Info) -> str:
            return str(self._read(info))

        return make_error(
            status,
            text(Info.MESSAGE) or decode(lib.cosslice_status_str(status)),
            server_code=number(Info.SERVER_CODE),
            server_message=text(Info.SERVER_MESSAGE),
            http_status=number(Info.HTTP_STATUS),
            request_id=text(Info.REQUEST_ID),
            os_error=number(Info.OS_ERROR),
            retryable=number(Info.RETRYABLE) == 1,
            resume_token=text(Info.RESUME_TOKEN),
        )

    def _read(self, info: Info) -> str | int:
        if info.is_text:
            return decode(lib.cosslice_upload_get_str(self._handle, info))
        return int(lib.cosslice_upload_get_i64(self._handle, info))

    def _text(self, info: Info) -> str:
        with self._lock:
            if not self._free.alive:
                return str(self._final.get(info, ""))
            # A text lives until the next call, which another thread may be about to begin.
            return "" if self._caller is not None else str(self._read(info))

    def _number(self, info: Info) -> int:
        with self._lock:
            return int(self._read(info) if self._free.alive else self._final.get(info, -1))

    def _known(self, info: Info) -> int | None:
        value = self._number(info)
        return None if value == -1 else value
