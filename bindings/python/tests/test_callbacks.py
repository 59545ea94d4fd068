"""Callbacks may raise, cancel, call back and be dropped at any time."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from conftest import MIB, PATIENCE_S, Emulator, FakeCos, content

import cosslice
from cosslice import Phase, Upload, _callbacks, _calls
from cosslice._callbacks import _registered
from cosslice._constants import Status
from cosslice._library import LOG_FN, PROGRESS_FN, RELEASE_FN, SIGN_FN, lib


class Oops(Exception):
    pass


def registered() -> int:
    """How many callbacks the library has not released."""
    gc.collect()
    return len(_registered)


def oops(*_: object) -> Any:
    raise Oops("from a callback")


@pytest.mark.parametrize("kind", ["progress", "signer", "logger"])
@pytest.mark.parametrize("mode", ["buffer", "feed"])
def test_an_exception_comes_out_of_the_call(fake: FakeCos, kind: str, mode: str) -> None:
    config = fake.config(
        log_level=cosslice.LogLevel.DEBUG, **({} if kind == "progress" else {kind: oops})
    )
    if kind == "signer":
        config.update(secret_id="", secret_key="")
    progress = oops if kind == "progress" else None
    data = content(4 * MIB)
    with Upload(config, "/a", progress=progress) as upload:
        with pytest.raises(Oops) as caught:
            if mode == "buffer":
                upload.buffer(data)
            else:
                upload.init(len(data))
                upload.feed(data)
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[-1] == "oops" and {"buffer", "init", "feed"} & set(names)
        with pytest.raises((cosslice.StateError, Oops)):  # a failure is final
            upload.feed(b"")
    assert "upload_slice_finish" not in [op for op, _ in fake.requests]


def test_no_callback_runs_after_one_has_raised(fake: FakeCos) -> None:
    calls = []

    def fail(*_: object) -> Any:
        calls.append(1)
        raise Oops(str(len(calls)))

    config = fake.config(secret_id="", secret_key="", signer=fail)
    config.set_logger(lambda *_: calls and fail(), cosslice.LogLevel.DEBUG)
    with config, Upload(config, "/a") as upload:
        upload.progress = lambda *_: calls and fail()
        with pytest.raises(Oops, match="1"):
            upload.buffer(content(4 * MIB))
    assert len(calls) == 1


def test_callbacks_of_a_call_that_has_failed() -> None:
    """As above, where the library would call once more."""
    calls: list[object] = []

    def library() -> int:
        number = next(_callbacks._numbers)
        _registered[number] = _callbacks.ProgressHook(lambda *seen: calls.append(seen))
        try:
            answers = [_callbacks.progress(number, 2, 3, 4)]
            _calls.current().fail(Oops("first"))
            _calls.current().fail(Oops("second"))
            answers.append(_callbacks.progress(number, 2, 5, 6))
            _registered[number] = calls.append
            answers.append(_callbacks.sign(number, None, None, 0))
            _callbacks.log(number, 1, b"line")
        finally:
            del _registered[number]
        assert answers == [0, 1, 0]
        return 0

    with pytest.raises(Oops, match="first"):
        _calls.run(library)
    assert calls == [(Phase.SENDING, 3, 4)]


def test_what_the_library_refuses_is_not_kept() -> None:
    before = registered()
    setter = lib.cosslice_config_set_signer
    assert _callbacks.register(setter, None, _callbacks.sign, target=oops) == Status.INVALID_ARG
    assert registered() == before


@pytest.mark.parametrize("answer", [None, 5, b"bytes", "ä"])
def test_a_signer_that_returns_nonsense(fake: FakeCos, answer: Any) -> None:
    config = fake.config(secret_id="", secret_key="", signer=lambda _: answer)
    expected = UnicodeEncodeError if answer == "ä" else TypeError
    with config, Upload(config, "/a") as upload, pytest.raises(expected):
        upload.buffer(b"data")
    assert not fake.requests


def test_a_signer_that_refuses(fake: FakeCos) -> None:
    config = fake.config(secret_id="", secret_key="", signer=lambda _: "")
    with config, Upload(config, "/a") as upload, pytest.raises(cosslice.AuthError):
        upload.buffer(b"data")
    assert not fake.requests


def test_an_upload_is_busy_in_its_callback(fake: FakeCos) -> None:
    seen: list[object] = []

    def progress(*_: object) -> None:
        with pytest.raises(cosslice.BusyError):
            upload.feed(b"data")
        seen.append((upload.bytes_done, upload.message, upload.access_url))

    with fake.config() as config, Upload(config, "/a", progress=progress) as upload:
        upload.buffer(content(2 * MIB))
    assert seen and {entry[1:] for entry in seen} == {("", "")}  # type: ignore[index]


def test_an_upload_inside_a_callback_of_another(fake: FakeCos) -> None:
    urls: list[str] = []

    def progress(*_: object) -> None:
        with Upload(config, "/inner") as inner:
            inner.buffer(b"data")
            urls.append(inner.access_url)
            raise Oops

    with fake.config() as config, Upload(config, "/outer", progress=progress) as upload:
        with pytest.raises(Oops):
            upload.buffer(b"data")
    assert urls and upload.phase is not Phase.DONE


@pytest.mark.parametrize("end", [Upload.cancel, Upload.close])
def test_ended_by_its_callback(fake: FakeCos, end: Callable[[Upload], None]) -> None:
    before = registered()
    with fake.config() as config:
        upload = Upload(config, "/a", progress=lambda *_: end(upload))
        with pytest.raises(cosslice.CanceledError):
            upload.buffer(content(4 * MIB))
        assert (registered() == before) is (end is Upload.close)
        upload.close()
    assert registered() == before
    assert upload.message


@pytest.mark.parametrize("end", [Upload.cancel, Upload.close])
def test_ended_by_another_thread(fake: FakeCos, end: Callable[[Upload], None]) -> None:
    before = registered()
    fake.replies["upload_slice_data"] = fake.stall
    with fake.config() as config:
        upload = Upload(config, "/a")

        def stop() -> None:
            fake.stalled.wait(PATIENCE_S)
            end(upload)

        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(cosslice.CanceledError):
            upload.buffer(content(4 * MIB))
        thread.join()
        assert not fake.closing.is_set()
        upload.close()
    assert registered() == before


def test_a_second_thread_gets_busy(fake: FakeCos) -> None:
    fake.replies["upload_slice_data"] = fake.stall
    outcomes: list[BaseException] = []

    def second() -> None:
        fake.stalled.wait(PATIENCE_S)
        try:
            upload.finish()
        except cosslice.CossliceError as exc:
            outcomes.append(exc)
        upload.cancel()

    with fake.config() as config, Upload(config, "/a") as upload:
        thread = threading.Thread(target=second)
        thread.start()
        with pytest.raises(cosslice.CanceledError):
            upload.buffer(content(4 * MIB))
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [cosslice.BusyError]


def test_progress_can_be_exchanged(fake: FakeCos) -> None:
    calls = []

    def first(*_: object) -> None:
        calls.append("first")
        upload.progress = second

    def second(*_: object) -> None:
        calls.append("second")
        upload.progress = None

    with fake.config(in_flight=1) as config, Upload(config, "/a", progress=first) as upload:
        upload.buffer(content(6 * MIB))
        assert upload.progress is None
    assert calls == ["first", "second"]


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no SIGALRM here")
@pytest.mark.parametrize("signum", ["SIGINT", "SIGTERM", "SIGALRM"])
@pytest.mark.parametrize("where", ["stalled", "callback"])
def test_a_signal_handler_that_raises(fake: FakeCos, signum: str, where: str) -> None:
    number = getattr(signal, signum)
    passed: list[int] = []
    fake.replies["upload_slice_data"] = fake.stall

    def raise_it() -> None:
        fake.stalled.wait(PATIENCE_S)
        os.kill(os.getpid(), number)

    def progress(phase: Phase, *_: object) -> None:
        if phase is Phase.SENDING and where == "callback":
            os.kill(os.getpid(), number)
            passed.append(1)  # not reached: there it raises at once

    thread = threading.Thread(target=raise_it)
    previous = signal.signal(number, oops)
    try:
        with fake.config() as config, Upload(config, "/a", progress=progress) as upload:
            if where == "stalled":
                thread.start()
            with pytest.raises(Oops):
                upload.buffer(content(4 * MIB))
            assert not fake.closing.is_set() and not passed
        assert signal.getsignal(number) is oops
    finally:
        signal.signal(number, previous)
        if where == "stalled":
            thread.join()
    assert upload.phase is not Phase.DONE


def test_a_signal_handler_that_does_not_raise(fake: FakeCos) -> None:
    caught = []
    previous = signal.signal(signal.SIGINT, lambda *_: caught.append(1))
    try:
        config = fake.config()
        with config, Upload(config, "/a") as upload:
            upload.progress = lambda *_: os.kill(os.getpid(), signal.SIGINT)
            upload.buffer(content(2 * MIB))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert caught and upload.phase is Phase.DONE


def test_a_handler_set_in_a_callback_stays(fake: FakeCos) -> None:
    def other(*_: object) -> None:
        pass

    previous = signal.getsignal(signal.SIGINT)
    try:
        config = fake.config()
        with config, Upload(config, "/a") as upload:
            upload.progress = lambda *_: signal.signal(signal.SIGINT, other)
            upload.buffer(b"data")
        assert signal.getsignal(signal.SIGINT) is other
    finally:
        signal.signal(signal.SIGINT, previous)


def test_callbacks_live_until_they_are_released(emulator: Emulator, path: str) -> None:
    def progress(*_: object) -> None:
        pass

    server = emulator.config()

    def signer(request: cosslice.SignRequest) -> str:
        return server.sign(request.path, request.expires_at_s)

    config = emulator.config(secret_id="", secret_key="", signer=signer)
    upload = Upload(config, path, progress=progress)
    alive = weakref.ref(progress), weakref.ref(signer)
    del progress, signer
    config.close()
    gc.collect()
    assert all(ref() for ref in alive)
    upload.buffer(b"data")
    upload.close()
    del upload, config
    gc.collect()
    assert not any(ref() for ref in alive)


def test_an_upload_that_is_dropped_is_freed(fake: FakeCos) -> None:
    before = registered()
    config = fake.config()
    upload = Upload(config, "/a", progress=print)
    assert registered() == before + 1
    del upload
    gc.collect()
    assert registered() == before


def test_released_exactly_once() -> None:
    released: list[int] = []
    release = RELEASE_FN(released.append)
    sign = SIGN_FN(lambda *_: 0)
    log = LOG_FN(lambda *_: None)
    progress = PROGRESS_FN(lambda *_: 0)
    config, upload = ctypes.c_void_p(), ctypes.c_void_p()
    assert lib.cosslice_config_new(ctypes.byref(config)) == Status.OK
    for option, value in ((1, b"1"), (2, b"b"), (3, b"gz")):
        assert lib.cosslice_config_set_str(config, option, value) == Status.OK
    # A failed call does not take the object.
    assert lib.cosslice_config_set_signer(None, sign, 1, release) == Status.INVALID_ARG
    assert lib.cosslice_config_set_logger(config, 99, log, 2, release) == Status.INVALID_ARG
    # The next one releases the one before.
    assert lib.cosslice_config_set_signer(config, sign, 3, release) == Status.OK
    assert released == []
    assert lib.cosslice_config_set_signer(config, sign, 4, release) == Status.OK
    assert released == [3]
    assert lib.cosslice_config_set_logger(config, 4, log, 5, release) == Status.OK
    assert lib.cosslice_upload_new(config, b"/a", ctypes.byref(upload)) == Status.OK
    lib.cosslice_config_free(config)
    assert released == [3]  # the upload still uses them
    assert lib.cosslice_upload_set_progress(upload, progress, 6, release) == Status.OK
    lib.cosslice_upload_free(upload)
    assert sorted(released) == [3, 4, 5, 6]
