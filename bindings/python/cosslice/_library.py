"""Finds libcosslice, loads it and declares its functions."""

from __future__ import annotations

import os
import sys
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

ABI_VERSION = 1

# Handles are opaque, hence plain pointers.
_CONFIG = _UPLOAD = _SIGN_REQUEST = c_void_p
_STATUS = c_int32

# `out` of a signer is written to: c_char_p would hand over a copy.
SIGN_FN = CFUNCTYPE(c_size_t, c_void_p, _SIGN_REQUEST, c_void_p, c_size_t)
PROGRESS_FN = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_uint64, c_uint64)
LOG_FN = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
RELEASE_FN = CFUNCTYPE(None, c_void_p)

# Every function of cosslice.h: what it returns and what it takes.
PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "cosslice_abi_version": (c_uint32, []),
    "cosslice_version": (c_char_p, []),
    "cosslice_status_str": (c_char_p, [_STATUS]),
    "cosslice_config_new": (_STATUS, [POINTER(_CONFIG)]),
    "cosslice_config_free": (None, [_CONFIG]),
    "cosslice_config_set_str": (_STATUS, [_CONFIG, c_uint32, c_char_p]),
    "cosslice_config_set_u64": (_STATUS, [_CONFIG, c_uint32, c_uint64]),
    "cosslice_config_set_signer": (_STATUS, [_CONFIG, SIGN_FN, c_void_p, RELEASE_FN]),
    "cosslice_config_set_logger": (_STATUS, [_CONFIG, c_int32, LOG_FN, c_void_p, RELEASE_FN]),
    "cosslice_config_sign": (
        _STATUS,
        [_CONFIG, c_char_p, c_uint64, c_void_p, c_size_t, POINTER(c_size_t)],
    ),
    "cosslice_config_message": (c_char_p, [_CONFIG]),
    "cosslice_sign_get_str": (c_char_p, [_SIGN_REQUEST, c_uint32]),
    "cosslice_sign_get_u64": (c_uint64, [_SIGN_REQUEST, c_uint32]),
    "cosslice_upload_new": (_STATUS, [_CONFIG, c_char_p, POINTER(_UPLOAD)]),
    "cosslice_upload_set_progress": (_STATUS, [_UPLOAD, PROGRESS_FN, c_void_p, RELEASE_FN]),
    "cosslice_upload_hash": (_STATUS, [_UPLOAD, c_void_p, c_size_t]),
    "cosslice_upload_init": (_STATUS, [_UPLOAD, c_uint64]),
    "cosslice_upload_seek": (_STATUS, [_UPLOAD, c_uint64]),
    "cosslice_upload_feed": (_STATUS, [_UPLOAD, c_void_p, c_size_t]),
    "cosslice_upload_finish": (_STATUS, [_UPLOAD]),
    "cosslice_upload_file": (_STATUS, [_UPLOAD, c_char_p]),
    "cosslice_upload_buffer": (_STATUS, [_UPLOAD, c_void_p, c_size_t]),
    "cosslice_upload_cancel": (None, [_UPLOAD]),
    "cosslice_upload_get_i64": (c_int64, [_UPLOAD, c_uint32]),
    "cosslice_upload_get_str": (c_char_p, [_UPLOAD, c_uint32]),
    "cosslice_upload_free": (None, [_UPLOAD]),
}

_FILE_NAME = {"darwin": "libcosslice.dylib", "win32": "cosslice.dll"}.get(
    sys.platform, "libcosslice.so"
)


def _candidates() -> list[Path]:
    chosen = os.environ.get("COSSLICE_LIBRARY")
    if chosen:
        return [Path(chosen)]
    package = Path(__file__).resolve().parent
    candidates = [package / _FILE_NAME]
    if (package.parent / "pyproject.toml").is_file():  # a checkout: what `make lib` built
        candidates.append(package.parent.parent.parent / "build" / "lib" / _FILE_NAME)
    return candidates


def _declare(library: CDLL, path: Path) -> None:
    try:
        library.cosslice_abi_version.restype = c_uint32
        found = library.cosslice_abi_version()
        if found != ABI_VERSION:
            raise ImportError(
                f"{path} has version {found} of the cosslice ABI, but this package needs version "
                f"{ABI_VERSION}: install a package and a library of the same release"
            )
        for name, (restype, argtypes) in PROTOTYPES.items():
            function = getattr(library, name)
            function.restype = restype
            function.argtypes = argtypes
    except AttributeError as exc:
        raise ImportError(f"{path} is not a libcosslice that this package can use: {exc}") from None


def load() -> CDLL:
    """Loads the library that COSSLICE_LIBRARY names, or else the bundled one, or the checkout's."""
    tried = []
    for path in _candidates():
        try:
            library = CDLL(str(path))
        except OSError as exc:
            tried.append(f"  {path}: {exc}")
            continue
        _declare(library, path)
        return library
    raise ImportError(
        "libcosslice was not found. Set COSSLICE_LIBRARY to its path, install a wheel, or run "
        "`make lib` in the checkout. Tried:\n" + "\n".join(tried)
    )


lib = load()
