"""Options, loggers and signatures."""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import logging
import time
import urllib.parse
from typing import Any

import pytest
from conftest import APP_ID, BUCKET, MIB, SECRET_ID, SECRET_KEY, Emulator, FakeCos, content

import cosslice
from cosslice import LogLevel, Options, Upload
from cosslice._constants import Option

NUMBERS = [option.name.lower() for option in Option if not option.is_text]


def test_options_are_those_of_the_header() -> None:
    assert list(Options.__annotations__) == [option.name.lower() for option in Option]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    fitting = {"slice_size": MIB, "sign_ttl_s": 60, "connect_timeout_ms": 100, "io_timeout_ms": 100}
    with cosslice.Config() as config:
        config.set(name, fitting.get(name, 1))
        for number in (-1, 1 << 64):
            with pytest.raises(cosslice.InvalidArgumentError, match=f"{name} is out of range"):
                config.set(name, number)
        for other in (1.0, "1"):
            with pytest.raises(TypeError):
                config.set(name, other)


@pytest.mark.parametrize("name", ["in_flight", "overwrite", "resume", "hash", "verify"])
def test_numbers_that_the_library_refuses(name: str) -> None:
    with cosslice.Config() as config:
        with pytest.raises(cosslice.InvalidArgumentError) as caught:
            config.set(name, 65)
    assert name.upper() in str(caught.value).upper()


@pytest.mark.parametrize("value", [5, b"bytes", None])
def test_text_must_be_text(value: Any) -> None:
    with cosslice.Config() as config, pytest.raises(TypeError, match="bucket must be a str"):
        config.set("bucket", value)


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_text_that_c_cannot_see(value: str) -> None:
    with pytest.raises(cosslice.InvalidArgumentError, match="bucket"):
        cosslice.Config(bucket=value)


def test_an_option_that_does_not_exist() -> None:
    with pytest.raises(TypeError, match="'retires'"):
        cosslice.Config(retires=3)  # type: ignore[call-arg]


def test_none_leaves_an_option_and_empty_text_resets_it(fake: FakeCos) -> None:
    config = fake.config()
    config.update(app_id=None, retries=None)
    Upload(config, "/a").close()
    config.set("app_id", "")
    with pytest.raises(cosslice.InvalidArgumentError, match=r"(?i)app.?id"):
        Upload(config, "/a")


def test_uploads_have_a_copy(fake: FakeCos) -> None:
    config = fake.config()
    with Upload(config, "/a") as upload:
        config.set("endpoint", "http://127.0.0.1:1/")
        upload.buffer(b"data")
    assert upload.access_url


def decode(signature: str) -> dict[str, str]:
    """The fields of a signature, after a check of its code."""
    raw = base64.b64decode(signature, validate=True)
    code, plain = raw[:20], raw[20:]
    assert hmac.digest(SECRET_KEY.encode(), plain, hashlib.sha1) == code
    return dict(field.split("=", 1) for field in plain.decode().split("&"))


@pytest.mark.parametrize("expires_at_s", [0, 2_000_000_000])
@pytest.mark.parametrize("path", ["/dir/a b+中.txt", "/" + "中" * 341])
def test_sign(fake: FakeCos, path: str, expires_at_s: int) -> None:
    before = int(time.time())
    with fake.config() as config:
        fields = decode(config.sign(path, expires_at_s))
    assert fields["a"] == APP_ID and fields["b"] == BUCKET and fields["k"] == SECRET_ID
    assert fields["e"] == str(expires_at_s)
    assert before <= int(fields["t"]) <= time.time()
    assert fields["f"] == f"/{APP_ID}/{BUCKET}" + urllib.parse.quote(path)


def test_sign_without_a_key() -> None:
    with cosslice.Config(app_id="1", bucket="b") as config:
        with pytest.raises(cosslice.InvalidArgumentError):
            config.sign("/a")


def test_a_signer_signs(emulator: Emulator, path: str) -> None:
    requests: list[cosslice.SignRequest] = []
    server = emulator.config()

    def signer(request: cosslice.SignRequest) -> str:
        requests.append(request)
        return server.sign(request.path, request.expires_at_s)

    data = content(3 * MIB)
    config = emulator.config(secret_id="", secret_key="", signer=signer)
    with config, Upload(config, path) as upload:
        upload.buffer(data)
    assert emulator.fetch(path) == data
    for request in requests:
        assert (request.app_id, request.bucket, request.path) == (APP_ID, BUCKET, path)
        assert request.file_id == f"/{APP_ID}/{BUCKET}{path}"
        assert request.expires_at_s > request.now_s > 1_500_000_000
        assert request.op.startswith("upload")


def test_a_signer_s_text_is_sent_as_it_is(fake: FakeCos) -> None:
    signature = "x" * 8_000  # longer than the room that C offers at first
    config = fake.config(secret_id="", secret_key="", signer=lambda _: signature)
    with config, Upload(config, "/a") as upload:
        upload.buffer(b"data")
    assert [given for _, given in fake.requests] == [signature]


def test_logger(emulator: Emulator, path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("uploads")
    config = emulator.config(logger=logger, log_level=LogLevel.DEBUG)
    with config, Upload(config, path) as upload:
        upload.buffer(b"100%s")
    assert {record.name for record in caplog.records} == {"uploads"}
    assert SECRET_KEY not in caplog.text
    count = len(caplog.records)
    assert count
    config = emulator.config(logger=logger, log_level=LogLevel.ERROR)
    with config, Upload(config, path + "2") as upload:
        upload.buffer(b"quiet")
    assert len(caplog.records) == count


def test_a_logger_function(emulator: Emulator, path: str) -> None:
    lines: list[tuple[LogLevel, str]] = []
    config = emulator.config(logger=lambda *line: lines.append(line), log_level=LogLevel.DEBUG)
    with config, Upload(config, path) as upload:
        upload.buffer(b"data")
    assert lines and all(type(level) is LogLevel and text for level, text in lines)


@pytest.mark.parametrize("setter", ["set_signer", "set_logger"])
def test_callbacks_must_be_callable(setter: str) -> None:
    with cosslice.Config() as config, pytest.raises(TypeError, match="callable"):
        getattr(config, setter)("text")


def test_configs_are_freed_without_close(fake: FakeCos) -> None:
    from cosslice._callbacks import _registered

    before = len(_registered)
    fake.config(signer=lambda _: "x", logger=lambda *_: None)
    gc.collect()
    assert len(_registered) == before
