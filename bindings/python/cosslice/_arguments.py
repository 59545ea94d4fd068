"""Values on their way into C, checked, and text on its way back."""

from __future__ import annotations

import operator
import os
from typing import SupportsIndex

from ._constants import Status
from .errors import CossliceError, make_error


def text(value: object, what: str) -> bytes:
    """UTF-8 without NUL, where C would see the end; `what` names the value in the error."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    try:
        return _without_nul(value.encode(), what)
    except UnicodeEncodeError as exc:
        raise _refused(f"{what} is not valid Unicode: {exc.reason}") from None


def file_path(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bytes:
    """The path as the file system has it, which the library takes if it is UTF-8."""
    encoded = os.fsencode(path)
    try:
        encoded.decode()
    except UnicodeDecodeError:
        raise _refused(
            f"the file path {path!r} is not UTF-8; open the file and use upload_fileobj()"
        ) from None
    return _without_nul(encoded, "the file path")


def unsigned(value: SupportsIndex, what: str) -> int:
    """64 bits without a sign; ctypes would cut off the rest silently."""
    number = operator.index(value)
    if not 0 <= number < 1 << 64:
        raise _refused(f"{what} is out of range: {number}")
    return number


def decode(text: bytes) -> str:
    return text.decode(errors="replace")


def _without_nul(value: bytes, what: str) -> bytes:
    if b"\0" in value:
        raise _refused(f"{what} contains a NUL character")
    return value


def _refused(message: str) -> CossliceError:
    return make_error(Status.INVALID_ARG, message)
