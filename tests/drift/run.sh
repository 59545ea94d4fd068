#!/bin/sh
# Every binding has what include/cosslice.h has, and nothing else; then, that a drift would be found: each change of
# mutations.tsv (file, text, other text) is made in a copy, and must be refused. Needs python3 and a C compiler.
set -u
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$python" -B tests/drift/drift.py >"$work/log"
code=$?
sed '$d' "$work/log"
passed=$(sed -n '$s/^\([0-9]*\) passed, .*/\1/p' "$work/log")
failed=$(sed -n '$s/.* \([0-9]*\) failed$/\1/p' "$work/log")
passed=${passed:-0} failed=${failed:-1}
[ "$code" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1

mkdir -p "$work/tree/tests/c"
cp tests/c/symbols.txt "$work/tree/tests/c/"
cp -R include "$work/tree/"
"$python" -B - "$work/tree" <<'PYTHON' || failed=$((failed + 1))
import shutil, sys
skip = shutil.ignore_patterns("node_modules", "__pycache__", ".*", "*.so*", "build", "dist")
shutil.copytree("bindings", sys.argv[1] + "/bindings", ignore=skip)
PYTHON

tab=$(printf '\t')
while IFS= read -r line; do
    file=${line%%"$tab"*} rest=${line#*"$tab"}
    text=${rest%%"$tab"*} other=${rest#*"$tab"}
    cp "$work/tree/$file" "$work/kept"
    if ! "$python" -B -c 'import sys
path, text, other = sys.argv[1:]
content = open(path).read()
open(path, "w").write(content.replace(text, other))
sys.exit(text not in content)' "$work/tree/$file" "$text" "$other"; then
        echo "FAILED drift: $file has no \"$text\" any more; mend tests/drift/mutations.tsv"
        failed=$((failed + 1))
    elif "$python" -B tests/drift/drift.py "$work/tree" >"$work/log" 2>&1; then
        echo "FAILED drift: nobody noticed \"$other\" instead of \"$text\" in $file"
        failed=$((failed + 1))
    elif grep -q 'Traceback' "$work/log"; then
        echo "FAILED drift: $file: $(tail -n 1 "$work/log")"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
    cp "$work/kept" "$work/tree/$file"
done <tests/drift/mutations.tsv
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
