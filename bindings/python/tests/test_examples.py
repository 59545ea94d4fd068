"""The examples, run as a user does."""

from __future__ import annotations

import ast
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    APP_ID,
    BUCKET,
    MIB,
    PACKAGE,
    PATIENCE_S,
    SECRET_ID,
    SECRET_KEY,
    Emulator,
    content,
    environment,
)
from test_config import decode

import cosslice
from cosslice import aio

EXAMPLES = PACKAGE / "examples"
TOKENS = {"alice": "s3cret", "bob": "s3same"}


@contextmanager
def sign_server(**env: str) -> Iterator[tuple[int, list[str]]]:
    """Its port, and its log, which is complete when the block has ended."""
    log: list[str] = []
    given = {
        "COSSLICE_APP_ID": APP_ID,
        "COSSLICE_BUCKET": BUCKET,
        "COSSLICE_SECRET_ID": SECRET_ID,
        "COSSLICE_SECRET_KEY": SECRET_KEY,
        "SIGN_TOKENS": ",".join(f"{name}:{token}" for name, token in TOKENS.items()),
        **env,
    }
    command = [sys.executable, str(EXAMPLES / "sign_server.py"), "--port", "0"]
    with subprocess.Popen(
        command, env=environment(**given), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        log.append(process.stderr.readline())
        port = re.search(r"signing on http://127\.0\.0\.1:(\d+)/sign", log[0])
        assert port, log
        # Read on, or the pipe would fill up.
        reader = threading.Thread(target=lambda: log.extend(process.stderr or ()))
        reader.start()
        try:
            yield int(port[1]), log
        finally:
            process.terminate()
            reader.join(PATIENCE_S)


def ask(
    port: int, body: Any, token: str | None = "s3cret", path: str = "/sign", **headers: str
) -> tuple[int, dict[str, str]]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, data, headers)
        response = connection.getresponse()
        answer: dict[str, str] = json.load(response)
        return response.status, answer
    finally:
        connection.close()


def test_upload_with_signatures_from_a_server(
    emulator: Emulator, path: str, tmp_path: Path
) -> None:
    data = path.encode() + content(3 * MIB)
    (tmp_path / "a").write_bytes(data)

    def upload(port: int, name: str, token: str) -> subprocess.CompletedProcess[str]:
        env = environment(
            COSSLICE_APP_ID=APP_ID,
            COSSLICE_BUCKET=BUCKET,
            COSSLICE_ENDPOINT=emulator.endpoint,
            SIGN_URL=f"http://127.0.0.1:{port}/sign",
            SIGN_TOKEN=token,
        )
        return subprocess.run(
            [sys.executable, str(EXAMPLES / "upload_signed.py"), str(tmp_path / "a"), name],
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    with sign_server() as (port, log):
        done = upload(port, f"/alice{path}", "s3cret")
        assert done.returncode == 0, done.stderr
        assert done.stdout.rstrip().endswith(f"/alice{path}")
        assert emulator.fetch(f"/alice{path}") == data
        for name, token in ((f"/bob{path}", "s3cret"), (f"/alice{path}2", "wrong")):
            refused = upload(port, name, token)
            assert refused.returncode == 1 and "HTTP Error 403" in refused.stderr
            assert not emulator.exists(name)
    text = "".join(log)
    assert f"signed '/alice{path}'" in text and '"POST /sign HTTP/1.1" 403' in text
    assert "Traceback" not in text
    for secret in (SECRET_KEY, *TOKENS.values(), "wrong"):
        assert secret not in text


def test_what_a_sign_server_gives(emulator: Emulator) -> None:
    now = int(time.time())
    with sign_server() as (port, log):
        status, answer = ask(port, {"path": "/alice/a b", "expires_at_s": now + 100})
        assert status == 200
        fields = decode(answer["signature"])
        assert fields["f"] == f"/{APP_ID}/{BUCKET}/alice/a%20b"
        assert fields["e"] == str(now + 100)
        # Never for longer than it thinks fit.
        status, answer = ask(port, {"path": "/alice/a", "expires_at_s": 1 << 70})
        assert now + 890 <= int(decode(answer["signature"])["e"]) <= now + 1000
        signatures = [answer["signature"]]
    assert not any(signature in "".join(log) for signature in signatures)


REQUEST = {"path": "/alice/a", "bucket": BUCKET, "expires_at_s": 2_000_000_000}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with sign_server() as (port, log):
        yield port
    assert "Traceback" not in "".join(log) and "s3cret" not in "".join(log)


@pytest.mark.parametrize(
    ("status", "body", "more"),
    [
        (401, REQUEST, {"token": None}),
        (401, REQUEST, {"token": ""}),
        (403, REQUEST, {"token": "s3same"}),
        (403, REQUEST, {"token": "s3cretx"}),
        (403, REQUEST, {"token": "\xff"}),
        (404, REQUEST, {"path": "/other"}),
        (403, {**REQUEST, "path": "/bob/a"}, {}),
        (403, {**REQUEST, "path": "/a"}, {}),
        (403, {**REQUEST, "path": "/alicea"}, {}),
        (403, {**REQUEST, "bucket": "other"}, {}),
        (403, {**REQUEST, "bucket": None}, {}),
        # Whole folders, the whole bucket, other people's.
        (400, {**REQUEST, "path": ""}, {}),
        (400, {**REQUEST, "path": "/"}, {}),
        (400, {**REQUEST, "path": "/alice/"}, {}),
        (400, {**REQUEST, "path": "/alice/../bob/a"}, {}),
        (400, {**REQUEST, "path": "/alice//a"}, {}),
        (400, {**REQUEST, "path": "/alice/a?b"}, {}),
        (400, {**REQUEST, "path": "/alice/\ud800"}, {}),
        (400, {**REQUEST, "path": "/alice/\0"}, {}),
        (400, {**REQUEST, "path": 5}, {}),
        (400, {"path": "/alice/a"}, {}),
        # One-time signatures allow to delete.
        (400, {**REQUEST, "expires_at_s": 0}, {}),
        (400, {**REQUEST, "expires_at_s": -1}, {}),
        (400, {**REQUEST, "expires_at_s": True}, {}),
        (400, {**REQUEST, "expires_at_s": "5"}, {}),
        (400, {**REQUEST, "expires_at_s": 1.5}, {}),
        (400, [], {}),
        (400, b"{", {}),
        (400, b"\xff", {}),
        (400, b"[" * 8000, {}),
        (413, b" " * 8193, {}),
        (413, b"", {"Content-Length": "-1"}),
        (413, b"", {"Content-Length": "9" * 5000}),
    ],
    ids=str,
)
def test_what_a_sign_server_refuses(
    port: int, status: int, body: Any, more: dict[str, Any]
) -> None:
    found, answer = ask(port, body, **more)
    assert found == status, answer
    assert set(answer) == {"error"} and answer["error"] and SECRET_KEY not in answer["error"]


@pytest.mark.parametrize("missing", ["COSSLICE_SECRET_KEY", "COSSLICE_BUCKET", "SIGN_TOKENS"])
def test_a_sign_server_that_lacks_something(missing: str) -> None:
    with pytest.raises(AssertionError, match="sign_server"), sign_server(**{missing: ""}):
        pass


def test_the_readme() -> None:
    """Its Python is Python, and speaks of names that there are."""
    text = (PACKAGE / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) > 5
    for block in blocks:
        tree = compile(
            block, "README.md", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = {"cosslice": cosslice, "aio": aio}.get(node.value.id)
                assert module is None or hasattr(module, node.attr), node.attr
    for file in re.findall(r"\]\(([^)]+)\)", text):
        assert (PACKAGE / file).is_file(), file


def test_every_example_is_here() -> None:
    names = {name for name in os.listdir(EXAMPLES) if name.endswith(".py")}
    text = Path(__file__).read_text()
    assert names and all(name in text for name in names)
