"""The exceptions: one class per kind of failure, each carrying all that is known about it."""

from __future__ import annotations

import functools
import os
from typing import Any

from ._constants import Status


class CossliceError(Exception):
    """A call of the library failed; ``str()`` is one sentence that says why.

    Attributes:
        status: what the library returned, a `Status` (a plain int if this package is older).
        message: the sentence.
        server_code: the code in the server's reply, e.g. -177; None if there was none.
        server_message: the text in the server's reply, or "".
        http_status: the HTTP status of that reply, or None.
        request_id: what the provider's support asks for, or "".
        os_error: the errno of a local failure, or None.
        retryable: whether the same upload may succeed later without a change.
        resume_token: the option ``resume_token`` that lets a new upload go on, or "".
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        server_code: int | None = None,
        server_message: str = "",
        http_status: int | None = None,
        request_id: str = "",
        os_error: int | None = None,
        retryable: bool = False,
        resume_token: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.server_code = server_code
        self.server_message = server_message
        self.http_status = http_status
        self.request_id = request_id
        self.os_error = os_error
        self.retryable = retryable
        self.resume_token = resume_token

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process borders pickled, and the default forgets keyword arguments.
        details = {name: getattr(self, name) for name in _DETAILS}
        return functools.partial(type(self), **details), (self.message,)


_DETAILS = (
    "status",
    "server_code",
    "server_message",
    "http_status",
    "request_id",
    "os_error",
    "retryable",
    "resume_token",
)


class InvalidArgumentError(CossliceError, ValueError):
    """A value is missing, malformed or out of range; nothing was sent."""


class StateError(CossliceError):
    """The call does not fit what was done before, or the handle is closed."""


class BusyError(CossliceError):
    """Another thread, or the callback you are in, is using the upload."""


class UnknownOptionError(CossliceError):
    """The library is older than this package and does not know the option."""


class OutOfMemoryError(CossliceError, MemoryError):
    """No memory for a slice."""


class FileError(CossliceError, OSError):
    """The local file could not be read; `errno` and `strerror` are set as in any OSError."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.errno = self.os_error
        self.strerror = message if self.os_error is None else os.strerror(self.os_error)


class SourceChangedError(CossliceError):
    """The bytes differ from the size given or from the hashed pass, or the file changed."""


class NetworkError(CossliceError, ConnectionError):
    """The server could not be reached, after all retries."""


class TlsError(CossliceError):
    """The server's certificate was refused, or no encrypted connection came about."""


class TimedOutError(CossliceError, TimeoutError):
    """The server stayed silent too long, after all retries."""


class ProtocolError(CossliceError):
    """The reply was not one that COS makes: HTML, cut JSON and the like."""


class ServerError(CossliceError):
    """COS refused; `server_code` says why."""


class AuthError(CossliceError):
    """The signer failed, or COS refused the signature."""


class ExistsError(CossliceError, FileExistsError):
    """The object exists and ``overwrite`` does not allow to replace it; it is untouched."""


class CanceledError(CossliceError):
    """The upload was cancelled."""


class ForkedError(CossliceError):
    """A child process used a handle that its parent made; make a new one after the fork."""


class ConflictError(CossliceError):
    """An unfinished upload of other content holds the name."""


class IntegrityError(CossliceError):
    """The server and this side disagree about the content."""


class NotFoundError(CossliceError):
    """The bucket or the parent directory does not exist."""


class PanicError(CossliceError):
    """A bug in the library; the handle can only be read and closed."""


ERRORS: dict[int, type[CossliceError]] = {
    Status.INVALID_ARG: InvalidArgumentError,
    Status.STATE: StateError,
    Status.BUSY: BusyError,
    Status.UNKNOWN_OPTION: UnknownOptionError,
    Status.NOMEM: OutOfMemoryError,
    Status.FILE: FileError,
    Status.SOURCE_CHANGED: SourceChangedError,
    Status.NETWORK: NetworkError,
    Status.TLS: TlsError,
    Status.TIMEOUT: TimedOutError,
    Status.PROTOCOL: ProtocolError,
    Status.SERVER: ServerError,
    Status.AUTH: AuthError,
    Status.EXISTS: ExistsError,
    Status.CANCELED: CanceledError,
    Status.FORKED: ForkedError,
    Status.CONFLICT: ConflictError,
    Status.INTEGRITY: IntegrityError,
    Status.NOT_FOUND: NotFoundError,
    Status.PANIC: PanicError,
}


def make_error(status: int, message: str, **details: Any) -> CossliceError:
    """The exception for `status`, also for one that this package does not know."""
    kind = ERRORS.get(status, CossliceError)
    known = Status(status) if kind is not CossliceError else status
    return kind(message, status=known, **details)
