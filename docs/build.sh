#!/bin/sh
# Builds the book and the reference into build/docs; build/docs/index.html opens from the disk. Warnings are errors.
set -eu
cd "$(dirname "$0")/.."
venv=build/docs-venv
stamp=$venv/requirements.txt
if ! cmp -s docs/requirements.txt "$stamp"; then
    rm -rf "$venv"
    ${PYTHON:-python3} -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r docs/requirements.txt
    cp docs/requirements.txt "$stamp"
fi
# Not --quiet: it also keeps --strict from counting the warnings. What is said is shown when something is wrong.
log=build/docs-cache/build.log
mkdir -p build/docs-cache
if ! PYTHONDONTWRITEBYTECODE=1 NO_MKDOCS_2_WARNING=1 "$venv/bin/python" -m mkdocs build --strict --clean \
    --config-file docs/mkdocs.yml --site-dir ../build/docs >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
echo "build/docs/index.html"
