"""What a config and an upload have in common: a handle of the library that is freed once."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._calls import run

if TYPE_CHECKING:
    from typing_extensions import Self


class Handle:
    """Frees its handle when it is closed, dropped or at the end of the program."""

    def __init__(self, handle: ctypes.c_void_p, free: Callable[..., Any]) -> None:
        self._handle = handle
        self._free = weakref.finalize(self, run, free, handle)

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
