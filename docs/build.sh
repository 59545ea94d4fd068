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
# Hooks are Python files in docs/: nothing is generated into the source folders.
PYTHONDONTWRITEBYTECODE=1 NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true \
    "$venv/bin/python" -m mkdocs build --quiet --strict --clean --config-file docs/mkdocs.yml --site-dir ../build/docs
echo "build/docs/index.html"
