"""The C functions that the library calls back, and the Python objects behind them.

There is one C function per kind, made once and never freed. Its `user` argument is the number of
a registered object, which stays registered until the library releases it.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

from ._arguments import decode
from ._calls import current, run
from ._constants import LogLevel, Phase, Status
from ._library import LOG_FN, PROGRESS_FN, RELEASE_FN, SIGN_FN
from .signer import Signer, SignRequest

Progress = Callable[[Phase, int, int], Any]


class ProgressHook:
    """What an upload's progress goes to; it can be exchanged at any time."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress


_registered: dict[int, Any] = {}
_numbers = itertools.count(1)


def register(setter: Callable[..., Any], *args: object, target: object) -> int:
    """Calls `setter(*args, number, release)` for the object `target` and returns the status."""
    number = next(_numbers)
    _registered[number] = target
    status = run(setter, *args, number, release)
    if status != Status.OK:  # then the library does not release it
        _registered.pop(number, None)
    return status


def _release(user: int) -> None:
    _registered.pop(user, None)


def _sign(user: int, request: int, out: int, out_size: int) -> int:
    call = current()
    try:
        if call.error is not None:
            return 0
        signer: Signer = _registered[user]
        signature = call.invoke(signer, SignRequest._read(request))
        if not isinstance(signature, str):
            raise TypeError(f"a signer must return a str, not {type(signature).__name__}")
        encoded = signature.encode("ascii")
        if len(encoded) < out_size:
            ctypes.memmove(out, encoded + b"\0", len(encoded) + 1)
        return len(encoded)  # when it did not fit, the library asks again with more room
    except BaseException as exc:
        call.fail(exc)
        return 0


def _progress(user: int, phase: int, bytes_done: int, bytes_total: int) -> int:
    call = current()
    try:
        hook: ProgressHook = _registered[user]
        if call.error is None and hook.progress is not None:
            call.invoke(hook.progress, Phase(phase), bytes_done, bytes_total)
    except BaseException as exc:
        call.fail(exc)
    return call.error is not None


def _log(user: int, level: int, message: bytes) -> None:
    call = current()
    try:
        if call.error is None:
            call.invoke(_registered[user], LogLevel(level), decode(message))
    except BaseException as exc:
        call.fail(exc)


release = RELEASE_FN(_release)
sign = SIGN_FN(_sign)
progress = PROGRESS_FN(_progress)
log = LOG_FN(_log)
