"""Many files at once from many workers, as a Dask cluster sends them: each its share."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import BUCKET, MIB, Emulator, content

import cosslice

distributed = pytest.importorskip("distributed")
dask_bag = pytest.importorskip("dask.bag")

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="for Unix"),
    pytest.mark.filterwarnings("default"),  # the cluster's own are not ours
]

FILES = 60
WORKERS = 2


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[Any]:
    """A cluster of processes, which have the account from their environment."""
    account = {k: v for k, v in emulator.environment().items() if k.startswith("COSSLICE_")}
    import dask

    # Workers are spawned, and get their environment before they import anything.
    with dask.config.set({"distributed.nanny.pre-spawn-environ": account}):
        with (
            distributed.LocalCluster(
                n_workers=WORKERS,
                threads_per_worker=2,
                processes=True,
                dashboard_address=None,
                silence_logs="ERROR",
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def share(prefix: str, numbers: list[int]) -> tuple[int, dict[str, str]]:
    """A task: makes its config where it runs, and sends its share over the same connections."""
    sent = {}
    with cosslice.Config.from_environment(overwrite=cosslice.Overwrite.OBJECT) as config:
        for number in numbers:
            path = f"{prefix}/{number:04}"
            upload = cosslice.upload_fileobj(config, io.BytesIO(data_of(number)), path)
            sent[path] = upload.sha1
    return os.getpid(), sent


def data_of(number: int) -> bytes:
    """Mostly small files, and some of several slices."""
    return content(3 * MIB + number if number % 10 == 0 else 1000 + number)


def test_each_task_uploads_its_share(emulator: Emulator, path: str, client: Any) -> None:
    before = emulator.control("state")["counters"]["by_op"]
    shares = [list(range(start, FILES, 12)) for start in range(12)]
    results = client.gather(client.map(share, [path] * len(shares), shares, pure=False))
    after = emulator.control("state")["counters"]["by_op"]

    assert len({pid for pid, _ in results} - {os.getpid()}) == WORKERS
    sent = {name: sha1 for _, part in results for name, sha1 in part.items()}
    assert len(sent) == FILES
    sizes = {f"{path}/{number:04}": len(data_of(number)) for number in range(FILES)}
    assert emulator.objects(path) == sizes
    for number in range(FILES):
        name = f"{path}/{number:04}"
        assert sent[name] == hashlib.sha1(data_of(number)).hexdigest()
    # One request for each small file, and nothing was sent twice.
    large = FILES // 10
    assert after["upload"] - before.get("upload", 0) == FILES - large
    assert after["upload_slice_finish"] - before.get("upload_slice_finish", 0) <= large
    assert emulator.fetch(f"{path}/0010") == data_of(10)


def test_a_config_does_not_travel(emulator: Emulator, path: str, client: Any) -> None:
    with emulator.config() as config:
        with pytest.raises(Exception, match=r"cannot pickle|Could not serialize"):
            client.submit(lambda: cosslice.Upload(config, path)).result()


def test_errors_travel_with_their_details(path: str, client: Any) -> None:
    def fail() -> None:
        with cosslice.Config.from_environment(secret_key="wrong", secret_id="wrong") as config:
            cosslice.upload_fileobj(config, io.BytesIO(b"data"), path)

    with pytest.raises(cosslice.AuthError) as caught:
        client.submit(fail).result()
    assert caught.value.http_status == 403 and caught.value.request_id


def test_a_bag_to_text_files(emulator: Emulator, path: str, client: Any) -> None:
    lines = [f"line {number}" for number in range(1000)]
    bag = dask_bag.from_sequence(lines, npartitions=5)
    bag.to_textfiles(f"cos4://{BUCKET}{path}/*.txt")
    names = sorted(emulator.objects(path))
    assert names == [f"{path}/{number}.txt" for number in range(5)]
    written = "\n".join(emulator.fetch(name).decode().strip() for name in names)
    assert written.splitlines() == lines
