"""The prototypes and constants of the binding are those of include/cosslice.h."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import pytest
from conftest import ROOT

from cosslice import _constants, _library

HANDLES = ("cosslice_config", "cosslice_upload", "cosslice_sign_request")
SCALARS = {
    "void": None,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "cosslice_status": ctypes.c_int32,
}
CALLBACKS = {
    "cosslice_sign_fn": _library.SIGN_FN,
    "cosslice_progress_fn": _library.PROGRESS_FN,
    "cosslice_log_fn": _library.LOG_FN,
    "cosslice_release_fn": _library.RELEASE_FN,
}


def header() -> str:
    """The header without comments, attributes and preprocessor lines."""
    text = (ROOT / "include" / "cosslice.h").read_text()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", " ", text)
    text = re.sub(r"(?:^[ \t]*#.*\\\n(?:.*\\\n)*.*$)|(?:^[ \t]*#.*$)", " ", text, flags=re.M)
    return re.sub(r"\b(COSSLICE_API|COSSLICE_\w*CALL|extern|struct|enum)\b", " ", text)


def ctypes_of(declaration: str) -> Any:
    """The ctypes type of a C type, which a parameter's name may follow."""
    declaration = re.sub(r"\bconst\b", " ", declaration)
    base, stars, _ = re.fullmatch(r"\s*(\w+)\s*([\s*]*)(\w*)\s*", declaration).groups()  # type: ignore[union-attr]
    depth = stars.count("*")
    if base in CALLBACKS:
        assert depth == 0
        return CALLBACKS[base]
    if base == "char" and depth == 1:
        return ctypes.c_char_p
    if base == "void" and depth == 1:
        return ctypes.c_void_p
    if base in HANDLES:
        return {1: ctypes.c_void_p, 2: ctypes.POINTER(ctypes.c_void_p)}[depth]
    return ctypes.POINTER(SCALARS[base]) if depth else SCALARS[base]


def parameters(text: str) -> list[Any]:
    if text.strip() in ("", "void"):
        return []
    # Memory that C writes to is a plain pointer: c_char_p means text that Python reads.
    return [
        ctypes.c_void_p if re.match(r"\s*char\s*\*", part) else ctypes_of(part)
        for part in text.split(",")
    ]


def functions() -> dict[str, tuple[Any, list[Any]]]:
    found = re.findall(r"([\w\s]+?[\s*]+)(cosslice_\w+)\s*\(([^()]*)\)\s*;", header())
    return {name: (ctypes_of(result), parameters(rest)) for result, name, rest in found}


def callbacks() -> dict[str, tuple[Any, list[Any]]]:
    found = re.findall(
        r"typedef\s+([\w\s]+?[\s*]*)\(\s*\*\s*(cosslice_\w+)\s*\)\s*\(([^()]*)\)\s*;", header()
    )
    return {name: (ctypes_of(result), parameters(rest)) for result, name, rest in found}


def constants() -> dict[str, int]:
    found = re.findall(r"\b(COSSLICE_\w+)\s*=\s*(-?\d+)", header())
    return {name: int(value) for name, value in found}


def test_the_parser_sees_the_header() -> None:
    assert len(functions()) >= 26
    assert len(callbacks()) == 4
    assert len(constants()) >= 78


@pytest.mark.parametrize("name", sorted(_library.PROTOTYPES))
def test_prototype(name: str) -> None:
    assert functions()[name] == _library.PROTOTYPES[name]


def test_every_function_is_declared() -> None:
    assert set(functions()) == set(_library.PROTOTYPES)


@pytest.mark.parametrize("name", sorted(CALLBACKS))
def test_callback(name: str) -> None:
    kind: Any = CALLBACKS[name]
    assert callbacks()[name] == (kind._restype_, list(kind._argtypes_))


def test_constants() -> None:
    prefixes = {
        _constants.Option: "COSSLICE_OPT_",
        _constants.Info: "COSSLICE_INFO_",
        _constants.Phase: "COSSLICE_PHASE_",
        _constants.LogLevel: "COSSLICE_LOG_",
        _constants.SignField: "COSSLICE_SIGN_",
    }
    ours = {f"{p}{one.name}": one.value for kind, p in prefixes.items() for one in kind}
    for status in _constants.Status:
        ours[f"COSSLICE_{'E_' if status else ''}{status.name}"] = status.value
    assert ours == constants()


def test_abi_version() -> None:
    text = (ROOT / "include" / "cosslice.h").read_text()
    found = re.search(r"^#define COSSLICE_ABI_VERSION (\d+)", text, re.M)
    assert found and int(found[1]) == _library.ABI_VERSION
