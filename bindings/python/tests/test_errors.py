"""Each kind of failure raises its own class, with the details that are known."""

from __future__ import annotations

import errno
import os
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest
from conftest import MIB, Emulator, FakeCos, content, reply

import cosslice
from cosslice import Status, Upload
from cosslice._library import lib
from cosslice.errors import ERRORS, CossliceError, make_error


def test_auth(emulator: Emulator, path: str) -> None:
    with emulator.config(secret_key="kept to itself") as config, Upload(config, path) as upload:
        with pytest.raises(cosslice.AuthError) as caught:
            upload.buffer(b"data")
        error = caught.value
        assert error.status is Status.AUTH
        assert error.http_status == 403
        assert error.server_code == -97
        assert error.server_message and error.request_id
        assert error.retryable is False
        assert str(error) == error.message == upload.message
        assert "kept" not in str(error)
        assert upload.server_code == -97 and upload.http_status == 403
        assert upload.request_id == error.request_id
        assert upload.server_message == error.server_message


def test_exists(emulator: Emulator, path: str) -> None:
    with emulator.config() as config:
        with Upload(config, path) as upload:
            upload.buffer(b"first")
        with Upload(config, path) as upload, pytest.raises(cosslice.ExistsError) as caught:
            upload.buffer(b"second")
    assert caught.value.server_code == -177
    assert emulator.fetch(path) == b"first"


def test_network() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # without listen, connections are refused
        config = cosslice.Config(
            app_id="1",
            bucket="b",
            authorization="x",
            endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}/files/v2",
            retries=0,
        )
        with config, Upload(config, "/a") as upload:
            with pytest.raises(cosslice.NetworkError) as caught:
                upload.buffer(b"data")
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.retryable is True
    assert caught.value.http_status is None and caught.value.server_code is None


def test_timeout(fake: FakeCos) -> None:
    fake.replies["upload"] = fake.stall
    with fake.config(io_timeout_ms=300) as config, Upload(config, "/a") as upload:
        with pytest.raises(cosslice.TimedOutError) as caught:
            upload.buffer(b"data")
    assert isinstance(caught.value, TimeoutError)
    assert fake.stalled.is_set() and not fake.closing.is_set()


def test_tls(fake: FakeCos) -> None:
    endpoint = fake.endpoint.replace("http:", "https:")
    with fake.config(endpoint=endpoint) as config, Upload(config, "/a") as upload:
        with pytest.raises(cosslice.TlsError):
            upload.buffer(b"data")
    assert not fake.requests


def test_protocol(fake: FakeCos) -> None:
    fake.replies["upload"] = lambda _: (200, b"<html>captive portal</html>")
    with fake.config() as config, Upload(config, "/a") as upload:
        with pytest.raises(cosslice.ProtocolError, match="captive portal") as caught:
            upload.buffer(b"data")
    assert caught.value.http_status == 200


def test_server(fake: FakeCos) -> None:
    fake.replies["upload"] = lambda _: reply(-5999, "ERROR_PARAM", 400)
    with fake.config() as config, Upload(config, "/a") as upload:
        with pytest.raises(cosslice.ServerError) as caught:
            upload.buffer(b"data")
    error = caught.value
    assert (error.server_code, error.http_status, error.server_message) == (
        -5999,
        400,
        "ERROR_PARAM",
    )
    assert error.request_id == "cmVxdWVzdA=="


def test_not_found(fake: FakeCos) -> None:
    fake.replies["upload"] = lambda _: reply(-133, "ERROR_BUCKET", 404)
    with fake.config() as config, Upload(config, "/a") as upload:
        with pytest.raises(cosslice.NotFoundError) as caught:
            upload.buffer(b"data")
    assert caught.value.server_code == -133


def test_integrity(fake: FakeCos) -> None:
    fake.replies["upload_slice_finish"] = lambda _: reply(-4016, "ERROR_SHA", 409)
    with fake.config() as config, Upload(config, "/a") as upload:
        with pytest.raises(cosslice.IntegrityError) as caught:
            upload.buffer(content(2 * MIB))
    assert caught.value.server_code == -4016


def test_file(emulator: Emulator, path: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with emulator.config() as config, Upload(config, path) as upload:
        with pytest.raises(cosslice.FileError) as caught:
            upload.file(missing)
    error = caught.value
    assert isinstance(error, OSError)
    assert error.errno == error.os_error == upload.os_error == errno.ENOENT
    assert error.filename == str(missing)
    assert error.strerror == os.strerror(errno.ENOENT)


@pytest.mark.parametrize("size", [0, 2 * MIB])
def test_more_bytes_than_announced(emulator: Emulator, path: str, size: int) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        upload.init(size)
        with pytest.raises(cosslice.SourceChangedError):
            upload.feed(bytes(size + 1))


def test_fewer_bytes_than_announced(emulator: Emulator, path: str) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        upload.init(2 * MIB)
        upload.feed(bytes(2 * MIB - 1))
        with pytest.raises(cosslice.SourceChangedError):
            upload.finish()


def test_bytes_that_differ_from_the_hashed_ones(emulator: Emulator, path: str) -> None:
    data = content(2 * MIB)
    with emulator.config() as config, Upload(config, path) as upload:
        upload.hash(data)
        upload.init(len(data))
        with pytest.raises(cosslice.SourceChangedError):
            upload.feed(data[:-1] + b"!" if data[-1:] != b"!" else data[:-1] + b"?")
            upload.finish()


def test_state(emulator: Emulator, path: str) -> None:
    with emulator.config() as config:
        with Upload(config, path) as upload, pytest.raises(cosslice.StateError):
            upload.feed(b"before init")
        with Upload(config, path) as upload:
            upload.buffer(b"data")
            with pytest.raises(cosslice.StateError):
                upload.buffer(b"again")


def test_closed(emulator: Emulator, path: str) -> None:
    config = emulator.config()
    upload = Upload(config, path)
    for _ in range(2):
        upload.close()
        config.close()
    with pytest.raises(cosslice.StateError, match="closed"):
        upload.init(5)
    with pytest.raises(cosslice.StateError, match="closed"):
        Upload(config, path)
    with pytest.raises(cosslice.StateError, match="closed"):
        config.set("retries", 1)
    upload.cancel()  # harmless


def test_cancelled_before_it_began(emulator: Emulator, path: str) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        upload.cancel()
        with pytest.raises(cosslice.CanceledError):
            upload.buffer(b"data")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked(emulator: Emulator, path: str) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        child = os.fork()
        if not child:
            try:
                upload.buffer(b"data")
            except cosslice.ForkedError:
                os._exit(42)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 42
        upload.buffer(b"data")
    assert emulator.fetch(path) == b"data"


@pytest.mark.parametrize(
    "path",
    ["", "a", "/", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/..", "/a\tb", "/a\nb", "/a\x7f"]
    + [f"/a{char}b" for char in '?*:|\\<>"'],
)
def test_refused_names(fake: FakeCos, path: str) -> None:
    with fake.config() as config:
        with pytest.raises(cosslice.InvalidArgumentError) as caught:
            Upload(config, path)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value)
    assert not fake.requests


@pytest.mark.parametrize("path", ["/a\0b", "/a\ud800"])
def test_names_that_c_cannot_see(fake: FakeCos, path: str) -> None:
    with fake.config() as config, pytest.raises(cosslice.InvalidArgumentError):
        Upload(config, path)


@pytest.mark.parametrize("size", [-1, 1 << 64])
def test_sizes_out_of_range(emulator: Emulator, path: str, size: int) -> None:
    with emulator.config() as config, Upload(config, path) as upload:
        with pytest.raises(cosslice.InvalidArgumentError, match="range"):
            upload.init(size)
        with pytest.raises(TypeError):
            upload.init(5.0)  # type: ignore[arg-type]
        upload.init(0)


def test_unknown_option() -> None:
    with cosslice.Config() as config, pytest.raises(cosslice.UnknownOptionError):
        config._call(lib.cosslice_config_set_u64, 9999, 1)


def test_every_status_has_a_class_of_its_own() -> None:
    assert set(ERRORS) == set(Status) - {Status.OK}
    assert len(set(ERRORS.values())) == len(ERRORS)
    for kind in ERRORS.values():
        assert getattr(cosslice, kind.__name__) is kind
        assert kind.__doc__


def test_a_status_from_the_future() -> None:
    error = make_error(-1234, "new")
    assert type(error) is CossliceError and error.status == -1234


@pytest.mark.parametrize("status", sorted(ERRORS))
def test_pickle(status: int) -> None:
    details: dict[str, Any] = {
        "server_code": -1,
        "server_message": "m",
        "http_status": 400,
        "request_id": "r",
        "os_error": errno.EACCES,
        "retryable": True,
        "resume_token": "t",
    }
    error = pickle.loads(pickle.dumps(make_error(status, "sentence", **details)))
    assert type(error) is ERRORS[status] and str(error) == "sentence"
    assert {name: getattr(error, name) for name in details} == details
    if isinstance(error, cosslice.FileError):
        assert error.errno == errno.EACCES
