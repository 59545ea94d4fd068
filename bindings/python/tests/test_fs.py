"""`cosslice.fs`: what fsspec, pandas and others do with a file system that only writes."""

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import APP_ID, BUCKET, MIB, SECRET_ID, SECRET_KEY, Emulator, content

import cosslice
from cosslice import Overwrite

fsspec = pytest.importorskip("fsspec")

from fsspec.callbacks import Callback  # noqa: E402

from cosslice.fs import CossliceFileSystem, WriteOnlyError  # noqa: E402

Options = dict[str, Any]


@pytest.fixture
def options(emulator: Emulator) -> Options:
    """The ``storage_options`` of the emulator."""
    return {
        "app_id": APP_ID,
        "endpoint": emulator.endpoint,
        "secret_id": SECRET_ID,
        "secret_key": SECRET_KEY,
    }


@pytest.fixture
def fs(options: Options) -> CossliceFileSystem:
    return CossliceFileSystem(skip_instance_cache=True, **options)


@pytest.fixture
def url(path: str) -> str:
    return f"cos4://{BUCKET}{path}"


@pytest.mark.parametrize("protocol", ["cos4", "cosslice"])
def test_found_by_its_protocol(
    emulator: Emulator, path: str, options: Options, protocol: str
) -> None:
    assert fsspec.get_filesystem_class(protocol) is CossliceFileSystem
    with fsspec.open(f"{protocol}://{BUCKET}{path}", "wb", **options) as file:
        file.write(b"data")
    assert emulator.fetch(path) == b"data"
    assert fsspec.filesystem(protocol, **options) is fsspec.filesystem(protocol, **options)


@pytest.mark.parametrize("size", [0, 5, 3 * MIB + 1, 9 * MIB])
def test_open(emulator: Emulator, path: str, fs: Any, url: str, size: int) -> None:
    data = (path.encode() + content(size))[:size]
    with fs.open(url, "wb") as file:
        file.write(data)
    assert isinstance(file, cosslice.Writer)
    assert file.upload.access_url.endswith(path)
    assert emulator.fetch(path) == data


def test_text_and_compression(emulator: Emulator, path: str, options: Options, url: str) -> None:
    with fsspec.open(url + ".txt.gz", "wt", compression="infer", encoding="utf-8", **options) as f:
        f.write("ä\n" * 100_000)
    assert gzip.decompress(emulator.fetch(path + ".txt.gz")) == "ä\n".encode() * 100_000
    fs = fsspec.filesystem("cos4", **options)
    fs.write_text(url, "text ä")
    assert emulator.fetch(path) == "text ä".encode()


def test_put_file(
    emulator: Emulator, path: str, options: Options, url: str, tmp_path: Path
) -> None:
    fs = CossliceFileSystem(in_flight=1, **options)  # so that slices arrive one by one
    data = path.encode() + content(3 * MIB)
    (tmp_path / "a").write_bytes(data)
    seen: list[tuple[int, int]] = []

    class Listener(Callback):  # type: ignore[misc]
        def call(self, *_: object, **__: object) -> None:
            seen.append((self.value, self.size))

    fs.put_file(str(tmp_path / "a"), url, callback=Listener())
    assert emulator.fetch(path) == data
    assert seen == sorted(seen) and seen[-1] == (len(data), len(data)) and len(set(seen)) > 2
    with pytest.raises(FileNotFoundError):
        fs.put_file(str(tmp_path / "missing"), url)


def test_put_a_tree(emulator: Emulator, path: str, fs: Any, url: str, tmp_path: Path) -> None:
    names = ["a", "d/b", "d/e/c"]
    for name in names:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    fs.put(str(tmp_path / "tree") + "/", url + "/", recursive=True)
    for name in names:
        assert emulator.fetch(f"{path}/{name}").decode() == name
    fs.put(str(tmp_path / "tree" / "a"), url)
    assert emulator.fetch(path) == b"a"


def test_pipe(emulator: Emulator, path: str, fs: Any, url: str) -> None:
    fs.pipe({url + "1": b"one", url + "2": memoryview(b"two")})
    fs.pipe_file(url + "3", b"three")
    fs.write_bytes(url + "4", b"four")
    fs.touch(url + "5")
    assert [emulator.fetch(f"{path}{n}") for n in range(1, 6)] == [
        b"one",
        b"two",
        b"three",
        b"four",
        b"",
    ]


def test_existing_objects(
    emulator: Emulator, path: str, fs: Any, url: str, options: Options, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"file")
    fs.pipe_file(url, b"first", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file(url, b"second", mode="create")
    with pytest.raises(FileExistsError):
        fs.put_file(str(tmp_path / "a"), url, mode="create")
    with pytest.raises(FileExistsError), fs.open(url, "xb") as file:
        file.write(b"second")
    never = CossliceFileSystem(overwrite=Overwrite.NEVER, **options)
    with pytest.raises(cosslice.ExistsError), never.open(url, "wb") as file:
        file.write(b"second")
    assert emulator.fetch(path) == b"first"
    with fs.open(url, "wb") as file:
        file.write(b"second")
    assert emulator.fetch(path) == b"second"
    fs.put_file(str(tmp_path / "a"), url)
    assert emulator.fetch(path) == b"file"
    with pytest.raises(ValueError, match="mode"):
        fs.pipe_file(url, b"", mode="append")


class Oops(Exception):
    pass


@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_an_exception_leaves_the_object(
    emulator: Emulator, path: str, fs: Any, url: str, options: Options, mode: str
) -> None:
    """fsspec closes files on the way out; half a content must not replace a whole one."""
    fs.pipe_file(url, b"whole")
    half: Any = b"half" if mode == "wb" else "half"
    with pytest.raises(Oops), fsspec.open(url, mode, **options) as file:
        file.write(half)
        raise Oops
    with pytest.raises(Oops), fs.open(url, mode) as file:
        file.write(half)
        raise Oops
    assert emulator.fetch(path) == b"whole"


def test_transactions(emulator: Emulator, path: str, fs: Any, url: str) -> None:
    with fs.transaction:
        with fs.open(url + "1", "wb") as file:
            file.write(b"one")
        assert file.closed
        with pytest.raises(ValueError):
            file.write(b"more")
        with gzip.open(fs.open(url + "2", "wb"), "wb") as packed:
            packed.write(b"two")  # does not close what it wraps
        with pytest.raises(Oops), fs.open(url + "3", "wb") as file:
            file.write(b"half")
            raise Oops
        assert emulator.objects(path) == {}
    assert set(emulator.objects(path)) == {path + "1", path + "2"}
    assert emulator.fetch(path + "1") == b"one"
    assert gzip.decompress(emulator.fetch(path + "2")) == b"two"
    with pytest.raises(Oops), fs.transaction:
        with fs.open(url + "4", "wb") as file:
            file.write(b"four")
        raise Oops
    assert not emulator.exists(path + "4")


def test_it_only_writes(fs: Any, url: str, tmp_path: Path) -> None:
    refused: list[Callable[[], Any]] = [
        lambda: fs.open(url),
        lambda: fs.open(url, "r"),
        lambda: fs.open(url, "ab"),
        lambda: fs.open(url, "r+b"),
        lambda: fs.info(url),
        lambda: fs.exists(url),
        lambda: fs.ls(url),
        lambda: fs.find(url),
        lambda: fs.glob(url + "*"),
        lambda: fs.du(url),
        lambda: fs.cat(url),
        lambda: fs.cat_file(url),
        lambda: fs.head(url),
        lambda: fs.get(url, str(tmp_path / "a")),
        lambda: fs.get_file(url, str(tmp_path / "a")),
        lambda: fs.rm(url),
        lambda: fs.rm_file(url),
        lambda: fs.cp(url, url + "2"),
        lambda: fs.mv(url, url + "2"),
        lambda: fs.size(url),
        lambda: fs.created(url),
        lambda: fs.modified(url),
        lambda: fs.touch(url, truncate=False),
    ]
    for call in refused:
        with pytest.raises(WriteOnlyError, match="only writes") as caught:
            call()
        assert isinstance(caught.value, io.UnsupportedOperation)
        assert isinstance(caught.value, FileNotFoundError)
    fs.mkdir(url)
    fs.makedirs(url, exist_ok=True)


def test_failures(fs: Any, options: Options, url: str) -> None:
    for name in ("cos4://bkt", "cos4://bkt/", f"{url}//a", f"{url}?a"):
        with pytest.raises(cosslice.InvalidArgumentError):
            fs.open(name, "wb")
    with pytest.raises(TypeError, match="stands in the name"):
        CossliceFileSystem(bucket="bkt")
    wrong = CossliceFileSystem(**{**options, "secret_key": "kept to itself"})
    with pytest.raises(cosslice.AuthError) as caught:
        wrong.pipe_file(url, b"data")
    assert "kept" not in str(caught.value)
    with pytest.raises(cosslice.InvalidArgumentError, match=r"(?i)in.?flight"):
        CossliceFileSystem(in_flight=0, **options).open(url, "wb")


def test_the_environment_has_the_account(
    emulator: Emulator, path: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in emulator.environment().items():
        if name.startswith("COSSLICE_"):
            monkeypatch.setenv(name, value)
    with fsspec.open(url, "wb", in_flight=2) as file:
        file.write(b"data")
    assert emulator.fetch(path) == b"data"
    fs = fsspec.filesystem("cos4")
    assert SECRET_KEY.encode() not in pickle.dumps(fs)


def test_a_signer(emulator: Emulator, path: str, options: Options, url: str) -> None:
    server = emulator.config()
    fs = CossliceFileSystem(
        app_id=APP_ID,
        endpoint=emulator.endpoint,
        signer=lambda request: server.sign(request.path, request.expires_at_s),
    )
    fs.pipe_file(url, b"data")
    assert emulator.fetch(path) == b"data"


def test_pickle_and_json(emulator: Emulator, path: str, fs: Any, url: str) -> None:
    fs.pipe_file(url, b"data")  # now it has a config
    copy = pickle.loads(pickle.dumps(fs))
    copy.pipe_file(url, b"again")
    assert emulator.fetch(path) == b"again"
    assert SECRET_KEY not in fs.to_json(include_password=False)
    assert json.loads(fs.to_json(include_password=False))["app_id"] == APP_ID
    fsspec.AbstractFileSystem.from_json(fs.to_json()).pipe_file(url, b"third")
    assert emulator.fetch(path) == b"third"
    for text in (repr(fs), str(fs)):
        assert SECRET_KEY not in text


def test_threads(emulator: Emulator, path: str, fs: Any, url: str) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for round in range(5):
                name = f"{url}-{number}-{round}"
                fs.pipe_file(name, b"first")
                with pytest.raises(FileExistsError):
                    fs.pipe_file(name, b"second", mode="create")
                fs.pipe_file(name, b"third")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(emulator.objects(path)) == 20 and set(emulator.objects(path).values()) == {5}


def test_the_mode_of_one_thread_is_not_another_s(
    emulator: Emulator, path: str, fs: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs.pipe_file(url, b"first")
    other = threading.Thread(target=fs.pipe_file, args=(url + "2", b"other"))
    came = threading.Event()

    def make(config: cosslice.Config, name: str) -> cosslice.Upload:
        if name == path:
            other.start()
            came.wait(0.2)  # in vain: it has to wait for its turn
        else:
            came.set()
        return cosslice.Upload(config, name)

    monkeypatch.setattr(cosslice.fs, "Upload", make)
    with pytest.raises(FileExistsError):
        fs.pipe_file(url, b"second", mode="create")
    other.join()
    assert emulator.fetch(path) == b"first" and emulator.fetch(path + "2") == b"other"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_a_fork(emulator: Emulator, path: str, fs: Any, url: str) -> None:
    fs.pipe_file(url, b"parent")
    child = multiprocessing.get_context("fork").Process(
        target=fs.pipe_file, args=(url + "2", b"child")
    )
    child.start()
    child.join()
    assert child.exitcode == 0
    assert emulator.fetch(path + "2") == b"child"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.pickle"])
def test_pandas(emulator: Emulator, path: str, url: str, options: Options, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"number": range(50_000), "text": "ä"})
    kind = name.split(".")[1]
    keywords = {} if kind in ("json", "pickle") else {"index": False}
    method = getattr(frame, f"to_{kind}")
    method(f"{url}/{name}", storage_options=options, **keywords)
    method(f"{url}/{name}", storage_options=options, **keywords)  # replaced, as usual
    raw = io.BytesIO(emulator.fetch(f"{path}/{name}"))
    compression = "gzip" if name.endswith("gz") else None
    back = getattr(pandas, f"read_{kind}")(raw, **({"compression": compression}))
    assert back.equals(frame)


def test_pandas_that_fails_midway(
    emulator: Emulator, path: str, url: str, options: Options
) -> None:
    pandas = pytest.importorskip("pandas")

    class Broken:
        def __str__(self) -> str:
            raise Oops

    frame = pandas.DataFrame({"a": [1, 2, Broken()]}, dtype=object)
    with pytest.raises(Oops):
        frame.to_csv(url, storage_options=options, chunksize=1)
    assert not emulator.exists(path)
