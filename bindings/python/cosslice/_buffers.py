"""The memory of any bytes-like object, without copying it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _PyBuffer(ctypes.Structure):
    """`Py_buffer` of the C API. ctypes' own from_buffer refuses read-only objects."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    )


_PyBUF_SIMPLE = 0  # contiguous bytes, writable or not

# Looked up by item, a function is ours alone: as attributes they are shared with other packages.
_get_buffer = ctypes.pythonapi["PyObject_GetBuffer"]
_get_buffer.restype = ctypes.c_int
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int]
_release_buffer = ctypes.pythonapi["PyBuffer_Release"]
_release_buffer.restype = None
_release_buffer.argtypes = [ctypes.POINTER(_PyBuffer)]


@contextmanager
def borrowed(data: Buffer) -> Iterator[tuple[int | None, int]]:
    """Address and length in bytes of `data`, which cannot move or shrink meanwhile.

    Raises TypeError for what is not bytes-like, BufferError or ValueError for what is not
    contiguous.
    """
    view = _PyBuffer()
    _get_buffer(data, ctypes.byref(view), _PyBUF_SIMPLE)
    try:
        yield view.buf, view.len
    finally:
        _release_buffer(ctypes.byref(view))
