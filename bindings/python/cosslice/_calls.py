"""Calls into the library, during which callbacks and signal handlers may raise.

An exception cannot pass through C: it is kept, the library is told to stop, and the call raises
it when it returns.
"""

from __future__ import annotations

# What `signal` wraps, whose conversions to enums would cost 30 us a call.
import _signal  # type: ignore[import-not-found]
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class Call:
    """One call on this thread."""

    __slots__ = ("cancel", "error", "in_callback", "outer")

    def __init__(self, cancel: Callable[[], Any] | None, outer: Call | None) -> None:
        self.cancel = cancel
        self.outer = outer
        """The call whose callback made this one."""
        self.error: BaseException | None = None
        self.in_callback = False

    def invoke(self, callback: Callable[..., T], *args: object) -> T:
        """Runs a user's callback; signal handlers may raise in it as in any Python code."""
        self.in_callback = True
        try:
            return callback(*args)
        finally:
            self.in_callback = False

    def fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        if self.cancel is not None:
            self.cancel()


class _Thread(threading.local):
    call: Call | None = None


_thread = _Thread()


def current() -> Call:
    """The call that this thread is in."""
    assert _thread.call is not None, "a callback came outside a call"
    return _thread.call


def run(
    function: Callable[..., Any], *args: object, cancel: Callable[[], Any] | None = None
) -> int:
    """Calls a function of the library and returns its status.

    Raises what a callback or a signal handler raised meanwhile; `cancel` makes the function
    return early then.
    """
    call = Call(cancel, _thread.call)
    caught: list[int] = []
    try:
        if threading.current_thread() is threading.main_thread():
            _catch_signals(caught)
        _thread.call = call
        status: int = function(*args)
    finally:
        try:
            _restore_signals(caught)
        finally:
            _thread.call = call.outer
    if call.error is not None:
        error, call.error = call.error, None
        try:
            raise error
        finally:
            del error  # it refers to this frame by its traceback
    return status


# Python runs signal handlers at the first instruction of a callback's trampoline, before any `try`
# could be entered. What a handler raises there would be lost and C would read a garbage result.
# So the handlers that are known to raise run inside one that does not, for the time of the call.
_SIGNALS = [
    getattr(_signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGBREAK")
    if hasattr(_signal, name)
]
_handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}


def _on_signal(signum: int, frame: FrameType | None) -> None:
    call = _thread.call
    if call is None or call.in_callback:
        _handlers[signum](signum, frame)
        return
    try:
        _handlers[signum](signum, frame)
    except BaseException as exc:
        call.fail(exc)


def _catch_signals(caught: list[int]) -> None:
    for signum in _SIGNALS:
        handler = _signal.getsignal(signum)
        # SIG_DFL, SIG_IGN and handlers set in C are not callable; an outer call set ours.
        if callable(handler) and handler is not _on_signal:
            _handlers[signum] = handler
            caught.append(signum)
            _signal.signal(signum, _on_signal)


def _restore_signals(caught: list[int]) -> None:
    for signum in caught:
        if _signal.getsignal(signum) is _on_signal:  # else a callback has set another
            _signal.signal(signum, _handlers[signum])
