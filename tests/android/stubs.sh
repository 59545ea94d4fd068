#!/bin/sh
# Compares the stand-ins for Android's classes with the signatures of Android's own, as a package of Python type stubs made
# from android.jar of API level 36 has them.
#
#     tests/android/stubs.sh OUT      OUT/api keeps what was downloaded
set -eu
out=$1
[ -d "$out/api/android-stubs" ] || PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$out/api" \
    chaquopy-stubs-android==36.20260406
python3 - "$out/api/android-stubs" "$(dirname "$0")/stubs" <<'PY'
import ast, pathlib, re, sys

api, stubs = map(pathlib.Path, sys.argv[1:])
# What a Java type may be called in Python's stubs.
NAMES = {"boolean": "bool", "int": "int", "long": "int", "void": "None", "String": "str", "byte[]": "JavaArrayJByte",
         "String[]": "java.lang.String"}
checked = 0


def fits(java, annotation):
    return java in ("FileDescriptor",) and "FileDescriptor" in annotation or re.search(
        rf"\b{re.escape(NAMES.get(java, java.split('.')[-1]))}\b", annotation) is not None


def members(tree, names):
    """The class of that name, nested or not, and those that it extends within the package."""
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == names[0])
    for name in names[1:]:
        node = next(n for n in node.body if isinstance(n, ast.ClassDef) and n.name == name)
    return node.body


for source in sorted(stubs.rglob("*.java")):
    text = source.read_text()
    package = source.parent.relative_to(stubs / "android")
    tree = ast.parse((api / package / "__init__.pyi").read_text())
    body = members(tree, [source.stem])
    outer = text.split("public static class AutoCloseInputStream")
    if len(outer) > 1:
        members(tree, [source.stem, "AutoCloseInputStream"])
    outer[0] = re.sub(r"/\*\* Not Android's.*?\n    }\n", "", outer[0], flags=re.DOTALL)
    for result, name, arguments in re.findall(
            r"^    (?:public )?(?:static )?(?!public|private)([\w\[\].]+) (\w+)\((.*?)\)(?: throws [\w, ]+)?[ ;]*[{;]?$", outer[0], re.MULTILINE):
        kinds = [a.split()[0] for a in arguments.split(", ") if a]
        found = [n for n in body if isinstance(n, ast.FunctionDef) and n.name == name]
        assert found, f"{source.stem} has no {name}"

        def same(function):
            parameters = [p for p in function.args.posonlyargs if p.arg != "self"]
            return len(parameters) == len(kinds) and fits(result, ast.unparse(function.returns)) and all(
                fits(k, ast.unparse(p.annotation)) for k, p in zip(kinds, parameters))

        assert any(map(same, found)), f"{source.stem}.{name}({arguments}) is otherwise: {[ast.unparse(f) for f in found]}"
        checked += 1
    for name in re.findall(r"(?:static final \w+|^    String) ([A-Z]+) =", text, re.MULTILINE):
        assert any(isinstance(n, ast.AnnAssign) and n.target.id == name for n in body), f"{source.stem} has no {name}"
        checked += 1
print(checked, "signatures")
assert checked >= 15, checked
PY
