"""Every binding has what include/cosslice.h has: functions, numbers, types and names, and nothing that it lacks.

    python3 tests/drift/drift.py [ROOT]

Bindings that the C compiler sees (C++, Go's bridge, Android's shim) cannot have a wrong number; of them the names and that
nothing is missing is checked. The prototypes of the Python binding are checked by its own tests.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from header import GROUPS, Function, Header, c_type, parameters

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
BINDINGS = ROOT / "bindings"

passed = 0
failures: list[str] = []


def same(what: str, ours: Any, theirs: Any) -> None:
    """`ours` of a binding, `theirs` of the header."""
    global passed
    if ours == theirs:
        passed += 1
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        differing = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        detail = "".join(f"\n       {key}: binding {ours.get(key)}, header {theirs.get(key)}" for key in differing)
    elif isinstance(ours, (set, frozenset)):
        detail = f"\n       missing: {sorted(theirs - ours)}\n       not in the header: {sorted(ours - theirs)}"
    else:
        detail = f"\n       binding {ours}\n       header  {theirs}"
    failures.append(f"{what}{detail}")


def read(*paths: str) -> str:
    """Sources without comments; the paths may be patterns."""
    text = ""
    for path in paths:
        found = sorted(BINDINGS.glob(path))
        if not found:
            failures.append(f"there is no bindings/{path}")
        for file in found:
            text += re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", " ", file.read_text(), flags=re.S) + "\n"
    return text


def plain(name: str) -> str:
    """A name in any style: APP_ID, appId, AppID and app_id are one."""
    return name.replace("_", "").lower()


def plains(names: Iterable[str]) -> set[str]:
    return {plain(name) for name in names}


def mentions(text: str) -> set[str]:
    """Functions of the library that are called, or given away by name."""
    return set(re.findall(r"\bcosslice_\w+", text)) & set(header.functions)


def kind(number: int) -> str:
    return "text" if number < 100 else "number"


header = Header(ROOT / "include" / "cosslice.h")


def check_header() -> None:
    same("header: the compiler agrees with this parser", header.confirm(os.environ.get("CC", "cc")), "")
    exported = (ROOT / "tests" / "c" / "symbols.txt").read_text().split()
    same("header: the parser sees every exported function", set(header.functions), set(exported))
    same("header: no enum is unknown", set(header.enums), set(GROUPS.values()))


def check_words() -> None:
    """No source, README or manual names a constant or function that is not there."""
    groups = "OPT|INFO|PHASE|LOG|SIGN|E"
    known = set(header.constants) | set(header.functions) | set(header.callbacks) | set(header.enums)
    known |= {"cosslice_config", "cosslice_upload", "cosslice_sign_request", "cosslice_status", "cosslice_jni"}
    for file in sorted(BINDINGS.rglob("*")):
        suffixes = {".c", ".h", ".cpp", ".hpp", ".py", ".java", ".kt", ".mjs", ".go", ".swift", ".md"}
        if file.suffix not in suffixes or "node_modules" in file.parts or not file.is_file():
            continue
        text = file.read_text()
        words = set(re.findall(rf"\bCOSSLICE_(?:{groups})_[A-Z0-9_]*[A-Z0-9]\b", text))
        words |= set(re.findall(r"\bcosslice_(?:config|upload|sign)_[a-z0-9_]*[a-z0-9]\b(?=\()", text))
        unknown = words - known
        same(f"{file.relative_to(ROOT)}: what it names is in the header", unknown, set())


# --- Python ---------------------------------------------------------------------------------------------------------


def class_body(tree: ast.Module, name: str) -> list[ast.stmt]:
    return next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def python_class(file: str, name: str) -> dict[str, Any]:
    """A class's annotated fields, constants and methods."""
    path = BINDINGS / "python" / "cosslice" / file
    found: dict[str, Any] = {}
    for node in class_body(ast.parse(path.read_text()), name):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.literal_eval(node.value)
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = node
    return found


def check_python() -> None:
    for group, name in zip(GROUPS, ("Option", "Info", "Phase", "LogLevel", "SignField", "Status")):
        members = {key: value for key, value in python_class("_constants.py", name).items() if isinstance(value, int)}
        same(f"python: {name}", members, header.group(group))
    options = python_class("config.py", "Options")
    same("python: Options has every option", set(options), {name.lower() for name in header.group("OPT")})
    for name, number in header.group("OPT").items():
        is_text = "str" in options.get(name.lower(), "")
        same(f"python: the type of the option {name.lower()}", "text" if is_text else "number", kind(number))
    same("python: Upload has every info", {n.lower() for n in header.group("INFO")} - set(python_class("upload.py", "Upload")), set())
    same("python: SignRequest has every field", set(python_class("signer.py", "SignRequest")) - {"_read"}, {n.lower() for n in header.group("SIGN")})
    errors = (BINDINGS / "python" / "cosslice" / "errors.py").read_text()
    mapped = set(re.findall(r"^    Status\.(\w+): \w+,", errors, re.M))
    same("python: every failure has an exception", mapped, set(header.group("STATUS")) - {"OK"})
    abi = re.search(r"^ABI_VERSION = (\d+)", (BINDINGS / "python" / "cosslice" / "_library.py").read_text(), re.M)
    same("python: the ABI version", int(abi[1]) if abi else None, header.abi)


# --- C++ ------------------------------------------------------------------------------------------------------------


def check_cpp() -> None:
    text = read("cpp/cosslice.hpp")
    same("c++: every function is used", mentions(text), set(header.functions))
    found = re.findall(r"\boption<([\w:]+)> (\w+)\{COSSLICE_OPT_(\w+)\}", text)
    same("c++: options", {name.upper(): constant for _, name, constant in found}, {n: n for n in header.group("OPT")})
    for cpp_type, name, constant in found:
        is_text = cpp_type == "std::string_view"
        same(f"c++: the type of opt::{name}", "text" if is_text else "number", kind(header.group("OPT").get(constant, 0)))
    found = re.findall(r"\binfo_field<([\w:]+)> (\w+)\{COSSLICE_INFO_(\w+)\}", text)
    same("c++: infos", {name.upper(): constant for _, name, constant in found}, {n: n for n in header.group("INFO")})
    for cpp_type, name, constant in found:
        is_text = cpp_type == "std::string"
        same(f"c++: the type of info::{name}", "text" if is_text else "number", kind(header.group("INFO").get(constant, 0)))
    for group in ("PHASE", "LOG", "STATUS"):
        start = "(?:E_)?" if group == "STATUS" else f"{group}_"
        names = re.findall(rf"^\s+(\w+) = COSSLICE_{start}(\w+),?$", text, re.M)
        names = [(name, constant) for name, constant in names if constant in header.group(group)]
        same(f"c++: {group}", {name.upper(): constant for name, constant in names}, {n: n for n in header.group(group)})
    fields = re.findall(r" (\w+)\(\) const noexcept \{ return (text|cosslice_sign_get_u64)\((?:request_, )?COSSLICE_SIGN_(\w+)\)", text)
    same("c++: fields of sign_request", {name.upper(): constant for name, _, constant in fields}, {n: n for n in header.group("SIGN")})
    for name, reader, constant in fields:
        same(f"c++: the type of {name}", "text" if reader == "text" else "number", kind(header.group("SIGN").get(constant, 0)))


# --- Android --------------------------------------------------------------------------------------------------------

JNI = {"void": "V", "boolean": "Z", "int": "I", "long": "J", "byte": "B", "Hooks": "Lcom/cosslice/Hooks;", "ByteBuffer": "Ljava/nio/ByteBuffer;"}
JNI_C = {"V": "void", "Z": "jboolean", "I": "jint", "J": "jlong", "[B": "jbyteArray", "[J": "jlongArray", "[[B": "jobjectArray"}


def jni(java: str) -> str:
    java = java.strip()
    return "[" + jni(java[:-2]) if java.endswith("[]") else JNI[java]


def descriptor(result: str, arguments: str) -> str:
    types = [part.rsplit(None, 1)[0] for part in arguments.split(",") if part.strip()]
    return f"({''.join(map(jni, types))}){jni(result)}"


def java_enum(name: str) -> dict[str, int]:
    text = read(f"android/src/main/java/com/cosslice/{name}.java")
    return {one: int(value) for one, value in re.findall(r"^\s+([A-Z][A-Z0-9_]*)\((-?\d+)\)", text, re.M)}


def java_constants(name: str) -> dict[str, int]:
    text = read(f"android/src/main/java/com/cosslice/{name}.java")
    found = re.findall(r"static final int ([A-Z]\w*) = (-?\d+);", text)
    return {re.sub(r"^E_", "", one) if name == "Status" else one: int(value) for one, value in found}


def check_android() -> None:
    java = "android/src/main/java/com/cosslice/"
    for group, name in (("OPT", "Option"), ("INFO", "Info"), ("STATUS", "Status")):
        same(f"android: {name}", java_constants(name), header.group(group))
    for group, name in (("PHASE", "Phase"), ("LOG", "LogLevel")):
        same(f"android: {name}", java_enum(name), header.group(group))
    used = {name: what for what, name in re.findall(r"return (text|number)\(Option\.(\w+)", read(java + "Config.java"))}
    # A token belongs to one upload, so Upload takes it.
    if re.search(r"configSetText\(\w+, Option\.RESUME_TOKEN", read(java + "Upload.java", java + "Config.java")):
        used["RESUME_TOKEN"] = "text"
    same("android: every option can be set, by its type", used, {n: kind(v) for n, v in header.group("OPT").items()})
    upload = read(java + "Upload.java")
    asked = {n: {"Text": "text", "text": "text"}.get(how, "number") for how, n in re.findall(r"(?:upload)?(Text|Number|text|number)\((?:\w+, )?Info\.(?!FIRST_|LAST_)(\w+)", upload)}
    same("android: every info can be asked, by its type", asked, {n: kind(v) for n, v in header.group("INFO").items()})
    thrown = set(re.findall(r"case Status\.E_(\w+):", read(java + "CossliceException.java")))
    same("android: every failure has an exception", thrown, set(header.group("STATUS")) - {"OK"})

    shim = read("android/src/main/cpp/cosslice_jni.c")
    same("android: every function is used", mentions(shim), set(header.functions))
    fields = re.findall(r"(sign_field|sign_get_u64)\((?:env, )?request, COSSLICE_SIGN_(\w+)\)", shim)
    same("android: every field of a sign request, by its type", {n: "text" if f == "sign_field" else "number" for f, n in fields}, {n: kind(v) for n, v in header.group("SIGN").items()})
    native = {
        name: descriptor(result, arguments)
        for result, name, arguments in re.findall(r"static native ([\w\[\]]+) (\w+)\(([^)]*)\)", read(java + "Native.java"))
    }
    table = {name: (signature, function) for name, signature, function in re.findall(r'\{"(\w+)", "([^"]+)", \(function\)(\w+)\}', shim)}
    same("android: the shim registers what Native declares", {n: s for n, (s, _) in table.items()}, native)
    for name, (signature, function) in table.items():
        wanted = [JNI_C.get(one, "jobject") for one in re.findall(r"\[*(?:L[^;]+;|[A-Z])", signature)]
        declared = re.search(rf"static (\w+) JNICALL {function}\(([^)]*)\)", shim)
        ours = [part.split()[0] for part in declared[2].split(",")][2:] + [declared[1]] if declared else None
        same(f"android: the C function of {name}", ours, wanted)
    hooks = read(java + "Hooks.java")
    for name, signature in re.findall(r'GetMethodID\(env, found, "(\w+)", "([^"]+)"\)', shim):
        declared = re.search(rf"^\s+([\w\[\]]+) {name}\(([^)]*)\)", hooks, re.M)
        same(f"android: the hook {name}", descriptor(declared[1], declared[2]) if declared else None, signature)


# --- Node -----------------------------------------------------------------------------------------------------------


def koffi(one: Function) -> Function:
    """koffi marks outputs, points to callbacks, and wants memory that C writes to as `void *`."""

    def convert(text: str) -> str:
        text = "void *" if text == "char *" else text
        return f"{text} *" if text in header.callbacks else text

    return Function(one.result, tuple((convert(t), name) for t, name in one.parameters))


def check_node() -> None:
    text = read("node/constants.mjs")
    bodies = dict(re.findall(r"export const (\w+) = Object\.freeze\(\{(.*?)\}\)", text, re.S))
    for group, name in zip(GROUPS, ("Option", "Info", "Phase", "LogLevel", "SignField", "Status")):
        members = {one: int(value) for one, value in re.findall(r"(\w+): (-?\d+)", bodies.get(name, ""))}
        same(f"node: {name}", members, header.group(group))
    abi = re.search(r"ABI_VERSION = (\d+)", text)
    same("node: the ABI version", int(abi[1]) if abi else None, header.abi)
    text = read("node/native.mjs").replace("_Out_ ", "")
    found = {
        name: Function(c_type(result), parameters(rest))
        for result, name, rest in re.findall(r"'([\w\s]+?[\s*]+)(cosslice_\w+)\(([^()']*)\)'", text)
    }
    theirs = {name: koffi(one) for name, one in {**header.functions, **header.callbacks}.items()}
    same("node: prototypes", found, theirs)
    used = set(re.findall(r"\b(cosslice_\w+)\b", read("node/[!n]*.mjs"))) & set(header.functions)
    # Asked for when it is loaded.
    same("node: every function is used", used | {"cosslice_abi_version"}, set(header.functions))
    text = read("node/upload.mjs", "node/error.mjs")
    named = {one for one in header.group("INFO") if re.search(rf"'{one}'|Info\.{one}\b", text)}
    # Upload.get takes any of Info; these have no property of their own.
    own = set(header.group("INFO")) - {"NEXT_OFFSET", "SLICE_SIZE", "PHASE"} | {"NEXT_OFFSET"}
    same("node: every info has a name in results, errors or properties", named, own)


# --- Go -------------------------------------------------------------------------------------------------------------

UNITS = {"CONNECT_TIMEOUT_MS": "CONNECT_TIMEOUT", "IO_TIMEOUT_MS": "IO_TIMEOUT", "SIGN_TTL_S": "SIGN_TTL"}


def check_go() -> None:
    sources = read("go/[!eu]*.go", "go/errors.go", "go/upload.go", "go/bridge.c")
    same("go: every function is used", mentions(sources), set(header.functions))
    found = re.findall(r"^func (\w+)\([^)]*\) Option \{\s*return (text|number)\(C\.COSSLICE_OPT_(\w+)", sources, re.M)
    theirs = {name: (plain(UNITS.get(name, name)), kind(value)) for name, value in header.group("OPT").items()}
    same("go: options, by name and type", {constant: (plain(name), what) for name, what, constant in found}, theirs)
    found = re.findall(r"^\s+Info(\w+)\s+(Text|Number)Info = C\.COSSLICE_INFO_(\w+)", sources, re.M)
    theirs = {name: (plain(name), kind(value)) for name, value in header.group("INFO").items()}
    same("go: infos, by name and type", {constant: (plain(name), what.lower()) for name, what, constant in found}, theirs)
    found = re.findall(r"^\s+Err(\w+)\s+Status = C\.COSSLICE_E_(\w+)", sources, re.M)
    renamed = {"NOMEM": "NoMemory"}
    same("go: statuses", {c: plain(n) for n, c in found}, {n: plain(renamed.get(n, n)) for n in header.group("STATUS") if n != "OK"})
    for group, go_type, start in (("PHASE", "Phase", ""), ("LOG", "Level", "Log")):
        found = re.findall(rf"^\s+{start}(\w+)\s+{go_type} = C\.COSSLICE_{group}_(\w+)", sources, re.M)
        same(f"go: {go_type}", {c: plain(n) for n, c in found}, {n: plain(n) for n in header.group(group)})
    found = re.findall(r"^\s+(\w+):\s+(text|number)\(C\.COSSLICE_SIGN_(\w+)\)", sources, re.M)
    theirs = {name: (plain(name), kind(value)) for name, value in header.group("SIGN").items()}
    same("go: fields of SignRequest, by name and type", {c: (plain(n), what) for n, what, c in found}, theirs)


# --- Swift ----------------------------------------------------------------------------------------------------------

SWIFT_STATUS = {"INVALID_ARG": "invalidArgument", "NOMEM": "noMemory", "PROTOCOL": "badReply"}
SWIFT_SIGN = {"EXPIRES_AT_S": "expiresAt", "NOW_S": "now"}
SWIFT_LEFT_OUT = {"cosslice_abi_version"}  # the package is compiled together with the library, or linked to its SONAME


def check_swift() -> None:
    text = read("swift/Sources/Cosslice/*.swift")
    same("swift: every function is used", mentions(text), set(header.functions) - SWIFT_LEFT_OUT)
    found = re.findall(r"static func (\w+)\(([^)]*)\) -> Option \{\s*(text|number)\(COSSLICE_OPT_(\w+), ", text)
    ours = {}
    for name, argument, what, constant in found:
        unit = {"milliseconds:": "_MS", "seconds:": "_S"}.get(argument.split()[0], "")
        ours[constant] = (plain(name + unit), what)
    same("swift: options, by name and type", ours, {n: (plain(n), kind(v)) for n, v in header.group("OPT").items()})
    found = re.findall(r"static let (\w+) = (Text|Number)Info\(number: COSSLICE_INFO_(\w+)\)", text)
    theirs = {name: (plain(name), kind(value)) for name, value in header.group("INFO").items()}
    same("swift: infos, by name and type", {c: (plain(n), what.lower()) for n, what, c in found}, theirs)
    found = re.findall(r"static let (\w+) = Status\(COSSLICE_(?:E_)?(\w+)\)", text)
    same("swift: statuses", {c: plain(n) for n, c in found}, {n: plain(SWIFT_STATUS.get(n, n)) for n in header.group("STATUS")})
    for group, name in (("PHASE", "Phase"), ("LOG", "LogLevel")):
        body = re.search(rf"enum {name}: \w+, Sendable \{{(.*?)\n\}}", text, re.S)
        cases = re.findall(r"case (\w+) = (\d+)", body[1]) if body else []
        same(f"swift: {name}", {n.upper(): int(v) for n, v in cases}, header.group(group))
    found = re.findall(r"\b(\w+) = (?:[^\n=]*)?\b(text|time)\(COSSLICE_SIGN_(\w+)\)", text)
    ours = {c: (plain(n), "text" if what == "text" else "number") for n, what, c in found}
    ours = {c: ("expiresat" if n == "expiry" else n, what) for c, (n, what) in ours.items()}
    theirs = {n: (plain(SWIFT_SIGN.get(n, n)), kind(v)) for n, v in header.group("SIGN").items()}
    same("swift: fields of SignRequest, by name and type", ours, theirs)


def main() -> int:
    checks: list[Callable[[], None]] = [check_header, check_words, check_python, check_cpp, check_android, check_node, check_go, check_swift]
    for check in checks:
        try:
            check()
        except (AttributeError, KeyError, OSError, StopIteration, SyntaxError, TypeError, ValueError) as error:
            failures.append(f"{check.__name__} could not read its binding: {type(error).__name__}: {error}")
    for failure in failures:
        print(f"FAILED drift: {failure}")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
