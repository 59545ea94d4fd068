"""What a config and an upload have in common: a handle of the library that is freed once."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._calls import run

if TYPE_CHECKING:
    from typing_extensions import Never, Self


class Handle:
    """Frees its handle when it is closed, dropped or at the end of the program.

    It belongs to the process that made it: pickling is refused, and after a fork the child's calls
    raise `ForkedError`.
    """

    def __init__(self, handle: ctypes.c_void_p, free: Callable[..., Any]) -> None:
        self._handle = handle
        self._free = weakref.finalize(self, run, free, handle)
        self._unlock()
        _handles.add(self)

    def _unlock(self) -> None:
        """Sets the lock anew: in a forked child, the thread that held it does not exist."""
        # Reentrant, because a signal handler may call.
        self._lock = threading.RLock()

    @property
    def closed(self) -> bool:
        """Whether it was closed; properties stay readable, but nothing else can be done."""
        return not self._free.alive

    def close(self) -> None:
        """Frees the handle. Closing again does nothing."""
        self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> Never:
        raise TypeError(
            f"cannot pickle or copy {type(self).__name__}: it belongs to this process and may know "
            "a secret key. Make a Config where it is used, for instance by "
            "Config.from_environment()"
        )


_handles: weakref.WeakSet[Handle] = weakref.WeakSet()


def _unlock_all() -> None:
    for handle in list(_handles):
        handle._unlock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_all)
