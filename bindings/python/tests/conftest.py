"""The emulator, and a server that misbehaves on demand."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import cosslice

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "bindings" / "python"
MIB = 1 << 20
APP_ID = "1250000000"
BUCKET = "bkt"
SECRET_ID = "AKIDEXAMPLE"
SECRET_KEY = "examplesecretkey"
PATIENCE_S = 60  # a limit for what should take milliseconds, never a delay


def content(size: int) -> bytes:
    """Bytes that no two offsets share, the same for the same size."""
    return random.Random(size).randbytes(size)


def environment(**more: str) -> dict[str, str]:
    """For a child process that imports this checkout's package."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return {**kept, "PYTHONPATH": str(PACKAGE), **more}


def account(**options: Any) -> cosslice.Config:
    """A config for the emulator's account."""
    defaults = {
        "app_id": APP_ID,
        "bucket": BUCKET,
        "secret_id": SECRET_ID,
        "secret_key": SECRET_KEY,
    }
    return cosslice.Config(**{**defaults, **options})


class Emulator:
    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.endpoint = f"{self.origin}/files/v2"

    def config(self, **options: Any) -> cosslice.Config:
        return account(**{"endpoint": self.endpoint, **options})

    def control(self, name: str, body: Any = None) -> Any:
        """What the emulator answers under ``/_emulator/``; a body is posted."""
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.origin}/_emulator/{name}", data, PATIENCE_S) as response:
            return json.load(response)

    @contextmanager
    def faults(self, *rules: dict[str, Any]) -> Iterator[None]:
        self.control("faults", list(rules))
        try:
            yield
        finally:
            self.control("faults", [])

    @contextmanager
    def recorded(self) -> Iterator[list[dict[str, Any]]]:
        """The requests of the block, when it has ended."""
        requests: list[dict[str, Any]] = []
        self.control("record", {"on": True})
        yield requests
        requests += self.control("requests")
        self.control("record", {"on": False})

    def objects(self, prefix: str) -> dict[str, int]:
        """Names and sizes of complete objects."""
        return {
            entry["path"]: entry["filesize"]
            for entry in self.control("state")["objects"]
            if entry["path"].startswith(prefix)
        }

    def exists(self, path: str) -> bool:
        return path in self.objects(path)

    def environment(self, **more: str) -> dict[str, str]:
        """For a child process that has its account from the environment."""
        return environment(
            COSSLICE_APP_ID=APP_ID,
            COSSLICE_BUCKET=BUCKET,
            COSSLICE_ENDPOINT=self.endpoint,
            COSSLICE_SECRET_ID=SECRET_ID,
            COSSLICE_SECRET_KEY=SECRET_KEY,
            **more,
        )

    def fetch(self, path: str) -> bytes:
        """The object as the server has it."""
        url = f"{self.origin}/{APP_ID}/{BUCKET}{urllib.parse.quote(path)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=PATIENCE_S) as response:
            body: bytes = response.read()
            return body


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    binary = os.environ.get("COSSLICE_EMULATOR", str(ROOT / "build/bin/cosslice-emulator"))
    data = tmp_path_factory.mktemp("emulator")
    process = subprocess.Popen([binary, "--data", str(data)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        # It says where it listens as soon as it does.
        listening = re.search(r"listens on 127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert listening, "the emulator did not start"
        yield Emulator(int(listening[1]))
        process.terminate()


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """An object that no other test uses."""
    name = f"{request.module.__name__}/{request.node.name}"
    return "/" + re.sub(r"[^A-Za-z0-9./]+", "-", name)


Reply = tuple[int, bytes]


def reply(code: int = 0, message: str = "SUCCESS", http: int = 200, **data: Any) -> Reply:
    body = {"code": code, "message": message, "request_id": "cmVxdWVzdA==", "data": data}
    return http, json.dumps(body).encode()


URLS: dict[str, Any] = {
    "access_url": "http://cdn.example/a",
    "source_url": "http://origin.example/a",
    "resource_path": f"/{APP_ID}/{BUCKET}/a",
    "url": "http://manage.example/a",
}


class FakeCos:
    """Answers every operation well, except those that a test replaces in `replies`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        """Operation and Authorization header, in order."""
        self.replies: dict[str, Callable[[dict[str, str]], Reply]] = {}
        self.stalled = threading.Event()
        """Set when a request is in `stall`."""
        self.closing = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                names = rb'name="(\w+)"\r\n\r\n([^\r]*)\r\n'
                fields = {n.decode(): v.decode() for n, v in re.findall(names, body)}
                self.answer(fields)

            def do_GET(self) -> None:
                query = urllib.parse.urlsplit(self.path).query
                self.answer(dict(urllib.parse.parse_qsl(query)))

            def answer(self, fields: dict[str, str]) -> None:
                op = fields["op"]
                fake.requests.append((op, self.headers["Authorization"]))
                status, body = fake.replies.get(op, fake.good)(fields)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                pass  # a cancelled upload cuts its connections

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}/files/v2"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def good(self, fields: dict[str, str]) -> Reply:
        if fields["op"] == "upload_slice_init":
            return reply(session="s1", slice_size=MIB)
        if fields["op"] == "upload_slice_data":
            return reply(session="s1", offset=int(fields["offset"]))
        return reply(**URLS)

    def stall(self, fields: dict[str, str]) -> Reply:
        """Answers only when the test is over."""
        self.stalled.set()
        self.closing.wait(PATIENCE_S)
        return reply(-1, "too late", 500)

    def config(self, **options: Any) -> cosslice.Config:
        defaults = {"endpoint": self.endpoint, "verify": False, "retries": 0}
        return account(**{**defaults, **options})

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def fake() -> Iterator[FakeCos]:
    server = FakeCos()
    yield server
    server.close()
