"""A server that signs for devices which must not know the secret key.

::

    COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_SECRET_ID=AKID... \
    COSSLICE_SECRET_KEY=... SIGN_TOKENS=alice:s3cret,bob:s3same python sign_server.py --port 8080

A device posts what its signer is asked (`upload_signed.py` does that)::

    POST /sign   Authorization: Bearer s3cret
    {"path": "/alice/a.mp4", "bucket": "bkt", "expires_at_s": 1700000900}

and gets ``{"signature": "..."}``. The part to replace is `authorize`, which decides who may write
what; here everybody has a token and a folder. Put a server that speaks TLS in front of it.

A signature lets its bearer do everything with that one object until it expires, except deleting,
moving and changing its attributes, which take a one-time signature: this server makes none.
"""

from __future__ import annotations

import argparse
import hmac
import json
import logging
import os
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cosslice

log = logging.getLogger("sign_server")

LIFETIME_S = 900  # what the library asks for, and the most that is given
BODY_LIMIT = 8192
SILENCE_S = 10

Authorize = Callable[[str, str], bool]
"""Whether the bearer of a token may write the object of a path."""


class Refused(Exception):
    """A request that is answered with a status and a reason, neither of which is secret."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def folders(tokens: dict[str, str]) -> Authorize:
    """Everybody writes below ``/<name>/``; `tokens` are by name."""

    def authorize(token: str, path: str) -> bool:
        allowed = False
        for name, expected in tokens.items():  # all of them, in constant time
            match = hmac.compare_digest(token.encode(), expected.encode())
            allowed |= match and path.startswith(f"/{name}/")
        return allowed

    return authorize


def sign(
    config: cosslice.Config, bucket: str, authorize: Authorize, token: str, request: Any
) -> str:
    """The signature for what a device asks, or `Refused`."""
    if not isinstance(request, dict):
        raise Refused(400, "the body must be a JSON object")
    path, expires_at_s = request.get("path"), request.get("expires_at_s")
    if not isinstance(path, str) or not path.startswith("/"):
        raise Refused(400, "path must begin with /")
    # A path that ends with / would sign for everything below it, "" for the whole bucket.
    if {"", ".", ".."} & set(path[1:].split("/")):
        raise Refused(400, "path must name an object, without empty, . or .. segments")
    if request.get("bucket", bucket) != bucket:
        raise Refused(403, "this server does not sign for that bucket")
    if type(expires_at_s) is not int or expires_at_s <= 0:
        raise Refused(400, "expires_at_s must be a time in Unix seconds")
    if not authorize(token, path):
        raise Refused(403, "not allowed")
    latest = int(time.time()) + LIFETIME_S
    try:
        return config.sign(path, min(expires_at_s, latest))
    except cosslice.InvalidArgumentError as exc:
        raise Refused(400, str(exc)) from None


def make_server(
    config: cosslice.Config,
    bucket: str,
    authorize: Authorize,
    address: tuple[str, int] = ("127.0.0.1", 0),
) -> ThreadingHTTPServer:
    """A server for `config`, which has the key pair and `bucket`; call its ``serve_forever``."""

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S

        def do_POST(self) -> None:
            try:
                status, answer = 200, {"signature": self.signature()}
            except Refused as exc:
                status, answer = exc.status, {"error": str(exc)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def signature(self) -> str:
            if self.path != "/sign":
                raise Refused(404, "only /sign is here")
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or not token:
                raise Refused(401, "a bearer token is needed")
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit() and int(length[:9]) <= BODY_LIMIT):
                raise Refused(413, f"a body of up to {BODY_LIMIT} bytes is needed")
            try:
                request = json.loads(self.rfile.read(int(length)))
            except (ValueError, RecursionError):
                raise Refused(400, "the body must be JSON") from None
            made = sign(config, bucket, authorize, token, request)
            log.info("signed %r", request["path"])
            return made

        def log_message(self, form: str, *args: Any) -> None:
            # The request line has no secret: tokens and signatures travel in headers and bodies.
            log.info("%s %r", self.client_address[0], form % args)

    return ThreadingHTTPServer(address, Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description="Signs uploads to Tencent COS for devices.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pairs = [pair.partition(":") for pair in os.environ.get("SIGN_TOKENS", "").split(",") if pair]
    tokens = {name: token for name, _, token in pairs if name and token}
    bucket = os.environ.get("COSSLICE_BUCKET", "")
    if not tokens or not bucket:
        parser.error("set SIGN_TOKENS to name:token,... and COSSLICE_BUCKET, see the file's head")
    config = cosslice.Config.from_environment()
    try:
        config.sign("/check", 1)  # says now, not to the first device, what is missing
    except cosslice.InvalidArgumentError as exc:
        parser.error(str(exc))
    with make_server(config, bucket, folders(tokens), (arguments.host, arguments.port)) as server:
        host, port = server.server_address[:2]
        log.info("signing on http://%s:%s/sign", host, port)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
