"""Ctrl-C ends a program within a second, whatever it is uploading, and nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from conftest import APP_ID, BUCKET, PATIENCE_S, SECRET_ID, SECRET_KEY, FakeCos, environment

PROLOGUE = """
import asyncio, io, os, signal, sys, time
import cosslice
from cosslice import aio
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
config = cosslice.Config.from_environment(retries=0, verify=False)
data = os.urandom(12 << 20)
"""

WAYS = {
    "upload_file": """
        open(sys.argv[1], "wb").write(data)
        cosslice.upload_file(config, sys.argv[1], "/a")
    """,
    "upload_fileobj": """
        cosslice.upload_fileobj(config, io.BytesIO(data), "/a")
    """,
    "stream": """
        class Stream:
            def read(self, size):
                return data[:size]
        cosslice.upload_fileobj(config, Stream(), "/a", size=1 << 40)
    """,
    "write": """
        with cosslice.open(config, "/a", len(data)) as file:
            for start in range(0, len(data), 1000):
                file.write(data[start : start + 1000])
    """,
    "close": """
        with cosslice.open(config, "/a") as file:
            file.write(data)
    """,
    "aio": """
        asyncio.run(aio.upload_buffer(config, data, "/a"))
    """,
    "aio_write": """
        async def main():
            async with aio.open(config, "/a", len(data)) as file:
                await file.write(data)
        asyncio.run(main())
    """,
    "threads": """
        from concurrent.futures import ThreadPoolExecutor
        uploads = [cosslice.Upload(config, f"/{n}") for n in range(3)]
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(upload.buffer, data) for upload in uploads]
            try:
                for future in futures:
                    future.result()
            except KeyboardInterrupt:
                for upload in uploads:
                    upload.cancel()
                raise
    """,
}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for others here")
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c(fake: FakeCos, tmp_path: Path, way: str) -> None:
    fake.replies["upload_slice_data"] = fake.stall
    env = environment(
        COSSLICE_APP_ID=APP_ID,
        COSSLICE_BUCKET=BUCKET,
        COSSLICE_ENDPOINT=fake.endpoint,
        COSSLICE_SECRET_ID=SECRET_ID,
        COSSLICE_SECRET_KEY=SECRET_KEY,
    )
    program = PROLOGUE + textwrap.dedent(WAYS[way])
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a")],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert fake.stalled.wait(PATIENCE_S)
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=PATIENCE_S)
            seconds = time.monotonic() - started
        finally:
            process.kill()
    assert stderr.rstrip().endswith("KeyboardInterrupt"), stderr
    assert "ignored" not in stderr and process.returncode == -signal.SIGINT
    assert seconds < 3  # one is promised for a machine that is not busy
    assert not fake.closing.is_set()
    assert "upload_slice_finish" not in [op for op, _ in fake.requests]
