#!/usr/bin/env python3
"""Measures libcosslice against the floor of this machine and against libcurl. See README.md.

    run.py [--quick] [--size MIB] [--runs N] [--only GROUP,...] [--long] [--budget SECONDS]
    run.py --instructions          counts instructions and writes instructions.json
    run.py --check                 fails when instructions grew by more than 3 % or a library is over its size

Standard library only. Talks to 127.0.0.1 only, and ends only what it started.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = ROOT / "build" / "bench"
LIBRARY = ROOT / "build" / "lib" / "libcosslice.so"
#: A copy of it under its SONAME, which is what the link beside it is called after.
MEASURED = OUT / (os.readlink(LIBRARY) if LIBRARY.is_symlink() else "libcosslice.so.1")
EMULATOR = ROOT / "build" / "bin" / "cosslice-emulator"
INSTRUCTIONS = HERE / "instructions.json"

MIB = 1 << 20
TIMEOUT_S = 300  # of one program
GROWTH = 0.03
#: What the library can be built with.
FEATURES = {"tls": "", "none": "--no-default-features", "native-tls": "--no-default-features --features native-tls"}
#: Bytes that the project wants a stripped library to have.
SIZES = {"tls": 1_750_000, "none": 700_000, "native-tls": 800_000}
#: Bytes that it must not grow beyond unnoticed: what it has, and a little.
BUDGETS = {
    ("lib", "tls"): 1_990_000,
    ("lib", "none"): 900_000,
    ("lib", "native-tls"): 1_000_000,
    ("small", "tls"): 1_710_000,
    ("small", "none"): 655_000,
    ("small", "native-tls"): 750_000,
}

APP_ID, BUCKET, SECRET_ID, SECRET_KEY = "1250000000", "bkt", "AKIDEXAMPLE", "examplesecretkey"


class Skip(Exception):
    """This cannot be measured here, and why."""


def say(*words: object) -> None:
    print(*words, flush=True)


# --- building ---------------------------------------------------------------------------------------------------------


def shell(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """The first words of a tool, or '' when it is not there."""
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip()


def has_header(name: str) -> bool:
    done = subprocess.run(["cc", "-E", "-x", "c", "-"], input=f"#include <{name}>\n", text=True, capture_output=True)
    return done.returncode == 0


def install_missing(allowed: bool) -> None:
    wanted = []
    if not has_header("openssl/ssl.h"):
        wanted.append("libssl-dev")
    if not has_header("curl/curl.h"):
        wanted.append("libcurl4-openssl-dev")
    wanted += [tool for tool in ("valgrind", "openssl") if not shutil.which(tool)]
    if not wanted:
        return
    if not allowed or os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"missing: {' '.join(wanted)}; what needs them is left out (apt-get install {' '.join(wanted)})")
        return
    say(f"installing {' '.join(wanted)}")
    subprocess.run(["apt-get", "install", "-y", "-q", *wanted], stdout=subprocess.DEVNULL, timeout=600)


def build() -> dict[str, bool]:
    """Compiles the programs. What there is to measure with."""
    OUT.mkdir(parents=True, exist_ok=True)
    if not LIBRARY.exists():
        sys.exit(f"{LIBRARY} is not there: run `make lib`")
    has = {"openssl": has_header("openssl/ssl.h"), "curl": has_header("curl/curl.h")}
    openssl = ["-DWITH_OPENSSL"] if has["openssl"] else []
    crypto = ["-lssl", "-lcrypto"] if has["openssl"] else []
    # A copy: what is measured must not be replaced by a build meanwhile.
    shutil.copyfile(LIBRARY, MEASURED)
    link = [f"-L{OUT}", f"-l:{MEASURED.name}", "-Wl,-rpath,$ORIGIN"]
    programs = {
        "sink": (openssl, ["-lpthread", *crypto]),
        "floor": (openssl, ["-lpthread", *crypto]),
        "upload": ([f"-I{ROOT / 'include'}"], link),
    }
    if has["curl"]:
        programs["peer_curl"] = ([], ["-lpthread", "-lcurl"])
    for name, (flags, libraries) in programs.items():
        source = HERE / f"{name}.c"
        command = ["cc", "-O2", "-std=gnu11", "-Wall", "-Wextra", *flags, str(source), "-o", str(OUT / name), *libraries]
        subprocess.run(command, check=True)
    return has


def make_certificates() -> tuple[Path, Path, Path]:
    """A root, and a certificate of 127.0.0.1 with its key."""
    root, cert, key = OUT / "root.pem", OUT / "cert.pem", OUT / "key.pem"
    if not shutil.which("openssl"):
        raise Skip("no openssl tool")
    root_key, request, extensions = OUT / "root-key.pem", OUT / "cert.csr", OUT / "cert.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for command in (
        ["req", "-x509", *curve, "-keyout", root_key, "-out", root, "-days", "30", "-subj", "/CN=bench root"],
        ["req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=127.0.0.1"],
        ["x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key, "-CAcreateserial", "-days", "30",
         "-extfile", extensions, "-out", cert],
    ):  # fmt: skip
        done = subprocess.run(["openssl", *map(str, command)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip(f"openssl: {done.stderr.strip()[-200:]}")
    return root, cert, key


def make_data(path: Path, size: int) -> Path:
    """A file of random bytes, in page cache."""
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
    warm(path)
    return path


def warm(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(4 * MIB):
            pass


@contextlib.contextmanager
def sparse(size: int):
    """A file that is one hole. In memory where possible: reading a hole there takes no page cache."""
    shm = Path("/dev/shm")
    folder = shm if os.access(shm, os.W_OK) else OUT
    with tempfile.NamedTemporaryFile(dir=folder, prefix="cosslice-bench-") as file:
        os.truncate(file.name, size)
        yield Path(file.name)


# --- the far end ------------------------------------------------------------------------------------------------------


class Sink:
    """sink.c: answers and drops."""

    def __init__(self, certificates: tuple[Path, Path, Path] | None = None):
        command = [str(OUT / "sink")]
        self.ca = None
        if certificates:
            self.ca, cert, key = certificates
            command += ["--tls-cert", str(cert), "--tls-key", str(key)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the sink did not start")
        self.port = int(line)
        self.scheme = "https" if certificates else "http"

    def reset(self, latency_ms: int = 0) -> dict:
        """What came since the last call; replies wait `latency_ms` from now on."""
        if self.scheme == "https":
            import ssl

            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=30, context=ssl.create_default_context(cafile=str(self.ca))
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", f"/_sink/reset?latency_ms={latency_ms}")
            return json.loads(connection.getresponse().read())

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Emulator:
    """The emulator with --discard, in place of the sink."""

    scheme, ca = "http", None

    def __init__(self) -> None:
        if not EMULATOR.exists():
            sys.exit(f"{EMULATOR} is not there: run `make emulator`")
        self.data = tempfile.TemporaryDirectory(dir=OUT)
        port_file = Path(self.data.name) / "port"
        self.process = subprocess.Popen(
            [str(EMULATOR), "--data", str(Path(self.data.name) / "data"), "--discard", "--port-file", str(port_file)],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while not (port_file.exists() and port_file.read_text().strip()):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("the emulator did not start")
            time.sleep(0.02)
        self.port = int(port_file.read_text())
        self.before = self._cpu()

    def _cpu(self) -> tuple[float, float]:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        tick = os.sysconf("SC_CLK_TCK")
        return int(fields[11]) / tick, int(fields[12]) / tick

    def reset(self, latency_ms: int = 0) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/_emulator/settings", json.dumps({"latency_ms": latency_ms}))
            connection.getresponse().read()
        now, before = self._cpu(), self.before
        self.before = now
        return {"user": now[0] - before[0], "sys": now[1] - before[1]}

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.data.cleanup()


def sign(file_id: str) -> str:
    """A signature as the library makes them: the requests shall be of the same length."""
    now = int(time.time())
    plain = f"a={APP_ID}&k={SECRET_ID}&e={now + 900}&t={now}&r=123456789&f={file_id}&b={BUCKET}".encode()
    return base64.b64encode(hmac.new(SECRET_KEY.encode(), plain, hashlib.sha1).digest() + plain).decode()


# --- running ----------------------------------------------------------------------------------------------------------


def run(command: list[str], env: dict[str, str] | None = None) -> dict:
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"no end after {TIMEOUT_S} s: {command}") from None
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {err.strip()[-500:]}")
    if err.strip():
        say("   ", err.strip())
    result = json.loads(out)
    result["cpu"] = result["user"] + result["sys"]
    return result


class Case:
    """One thing that is run again and again, and what it cost each time."""

    def __init__(self, name: str, server, command, env: dict[str, str] | None = None, latency_ms: int = 0):
        self.name, self.server, self.command, self.env, self.latency_ms = name, server, command, env, latency_ms
        self.results: list[dict] = []

    def once(self) -> dict:
        if self.server:
            self.server.reset(self.latency_ms)
        result = run(self.command(), self.env)
        if self.server:
            server = self.server.reset()
            result.update({f"server_{key}": value for key, value in server.items()})
            result["server_cpu"] = server["user"] + server["sys"]
        return result

    def median(self, key: str) -> float:
        return statistics.median(result[key] for result in self.results)


def ratio(key: str, over: list[Case], under: list[Case]) -> float:
    """The median of the ratios of the rounds: both sides of each were measured moments apart."""
    rounds = range(len(over[0].results))
    return statistics.median(
        sum(case.results[i][key] for case in over) / sum(case.results[i][key] for case in under) for i in rounds
    )


class Bench:
    def __init__(self, arguments: argparse.Namespace, has: dict[str, bool]):
        self.arguments, self.has = arguments, has
        self.runs = arguments.runs
        self.rows: list[tuple[str, str, str, str, str]] = []
        self.groups: list[tuple[str, list[Case]]] = []
        self.serial = 0
        self.deadline = time.monotonic() + arguments.budget
        self.data = make_data(OUT / f"data-{arguments.size}", arguments.size * MIB)
        self.size = arguments.size
        self.sink = Emulator() if arguments.server == "emulator" else Sink()
        self.tls = None
        self.certificates = None
        self.why_no_tls = "the far end is the emulator" if arguments.server == "emulator" else "no OpenSSL"
        if has["openssl"] and arguments.server == "sink":
            try:
                self.certificates = make_certificates()
                self.tls = Sink(self.certificates)
            except Skip as skip:
                self.why_no_tls = str(skip)

    def close(self) -> None:
        self.sink.close()
        if self.tls:
            self.tls.close()

    # Names are of equal length, so that requests are.
    def name(self, kind: str = "object") -> str:
        self.serial += 1
        return f"/{kind}-{self.serial:06d}"

    def alternate(self, title: str, cases: list[Case], runs: int | None = None) -> None:
        """Runs all cases, again and again, in turns; a round that every case got through counts."""
        self.groups.append((title, cases))
        say(f"{title}: {', '.join(case.name for case in cases)}")
        for case in cases:  # once for nothing: caches, page tables, clocks
            if case.latency_ms == 0 and runs is None:
                case.once()
        for turn in range(runs or self.runs):
            if turn > 0 and time.monotonic() > self.deadline:
                say("    the time is up: fewer rounds")
                break
            for case in cases if turn % 2 == 0 else reversed(cases):
                case.results.append(case.once())

    def row(self, what: str, target: str, measured: str, met: bool | None, note: str = "") -> None:
        self.rows.append((what, target, measured, {True: "met", False: "NOT met", None: "-"}[met], note))

    def limit(self, what: str, target: str, value: float, most: float, note: str = "", below: bool = False) -> None:
        self.row(what, target, f"{value:.2f}", value < most if below else value <= most, note)

    # --- the programs

    def upload(self, mode: str, server=None, kind: str = "object", file: Path | None = None, **options: object):
        server = server or self.sink

        def command() -> list[str]:
            words = [str(OUT / "upload"), mode, "--endpoint", f"{server.scheme}://127.0.0.1:{server.port}/files/v2"]
            words += ["--path", self.name(kind), "--file", str(file or self.data)]
            if server.ca:
                words += ["--ca", str(server.ca)]
            for key, value in {"hash": 0, "verify": 0, "in_flight": 4, **options}.items():
                words += [f"--{key.replace('_', '-')}", str(value)]
            return words

        return command

    def floor_send(self, connections: int, server=None, file: Path | None = None, **options: object):
        server = server or self.sink

        def command() -> list[str]:
            file_id = f"/{APP_ID}/{BUCKET}{self.name()}"
            words = [str(OUT / "floor"), "send", "--port", str(server.port), "--path", f"/files/v2{file_id}"]
            words += ["--authorization", sign(file_id), "--connections", str(connections), "--file", str(file or self.data)]
            words += ["--tls", "1"] if server.scheme == "https" else []
            for key, value in options.items():
                words += [f"--{key}", str(value)]
            return words

        return command

    def curl(self, mode: str, **options: object):
        def command() -> list[str]:
            file_id = f"/{APP_ID}/{BUCKET}{self.name()}"
            words = [str(OUT / "peer_curl"), mode, "--url", f"http://127.0.0.1:{self.sink.port}/files/v2{file_id}"]
            words += ["--authorization", sign(file_id if mode == "send" else ""), "--file", str(self.data)]
            for key, value in options.items():
                words += [f"--{key.replace('_', '-')}", str(value)]
            return words

        return command

    # --- the groups

    def group_send(self) -> None:
        """Sending only, file mode."""
        ours4 = Case("ours, 4 in flight", self.sink, self.upload("file"))
        floor4 = Case("floor, 4 connections", self.sink, self.floor_send(4))
        ours1 = Case("ours, 1 in flight", self.sink, self.upload("file", in_flight=1))
        floor1 = Case("floor, 1 connection", self.sink, self.floor_send(1))
        ours64 = Case("ours, 64 in flight", self.sink, self.upload("file", in_flight=64))
        floor64 = Case("floor, 64 connections", self.sink, self.floor_send(64))
        curls4, curls1 = [], []
        if self.has["curl"]:
            for form, buffer in (("callback", 0), ("callback", 512 << 10), ("mime", 512 << 10)):
                name = f"libcurl {form} {'512 KiB' if buffer else 'default'}"
                options = {"form": form, "upload_buffer": buffer}
                curls4.append(Case(f"{name}, 4 threads", self.sink, self.curl("send", threads=4, **options)))
                if form == "callback":
                    curls1.append(Case(f"{name}, 1 thread", self.sink, self.curl("send", threads=1, **options)))
        self.alternate("send only, file", [ours4, floor4, *curls4, ours64, floor64, ours1, floor1, *curls1])
        share = ours4.median("server_cpu") / ours4.median("wall")
        self.limit("send only, 4 in flight, wall", "≤ 1.15 × floor, 4 connections", ratio("wall", [ours4], [floor4]), 1.15,
                   f"server: {share:.2f} cores")  # fmt: skip
        self.limit("send only, 4 in flight, CPU", "≤ 1.25 × floor, 4 connections", ratio("cpu", [ours4], [floor4]), 1.25)
        if curls4:
            fastest = min(curls4, key=lambda case: case.median("wall"))
            leanest = min(curls4, key=lambda case: case.median("cpu"))
            self.limit("send only, 4 in flight, wall", "ahead of libcurl, 4 threads", ratio("wall", [ours4], [fastest]), 1,
                       f"its best: {fastest.name}", below=True)  # fmt: skip
            self.limit("send only, 4 in flight, CPU", "below libcurl, its best buffer", ratio("cpu", [ours4], [leanest]), 1,
                       f"its best: {leanest.name}", below=True)  # fmt: skip
        self.row("send only, 1 in flight, wall / CPU", "(× floor, 1 connection)",
                 f"{ratio('wall', [ours1], [floor1]):.2f} / {ratio('cpu', [ours1], [floor1]):.2f}", None)  # fmt: skip
        self.limit("send only, 64 in flight, wall", "≤ 1.15 × floor, 64 connections", ratio("wall", [ours64], [floor64]), 1.15,
                   f"× 4 in flight: {ratio('wall', [ours64], [ours4]):.2f}; the floor's own: "
                   f"{ratio('wall', [floor64], [floor4]):.2f}")  # fmt: skip

    def group_hash(self) -> None:
        """The hash pass, and the whole upload."""
        if self.arguments.server == "emulator":
            raise Skip("only the sink answers instantly")
        send = Case("send only", self.sink, self.upload("file"))
        passes = Case("hash pass (init answers: instant)", self.sink, self.upload("file", hash=1, kind="instant"))
        whole = Case("whole upload", self.sink, self.upload("file", hash=1))
        cases = [send, passes, whole]
        floors = []
        if self.has["openssl"]:
            floors = [
                Case(f"OpenSSL EVP, {name} reads", None, lambda size=size: [str(OUT / "floor"), "sha1", "--file",
                     str(self.data), "--buffer", str(size)])  # fmt: skip
                for name, size in (("256 KiB", 256 << 10), ("1 MiB", MIB))
            ]
        self.alternate("hash", [*cases, *floors])
        if floors:
            best = min(floors, key=lambda case: case.median("wall"))
            self.limit("hash pass, wall", "≤ 1.05 × OpenSSL's SHA-1, reading included", ratio("wall", [passes], [best]), 1.05,
                       best.name)  # fmt: skip
            self.row("hash pass, CPU", "(× OpenSSL's SHA-1)", f"{ratio('cpu', [passes], [best]):.2f}", None)
        self.limit("whole upload with HASH 1, wall", "≤ 1.10 × (hash pass + send only)", ratio("wall", [whole], [passes, send]),
                   1.10)  # fmt: skip

    def group_modes(self) -> None:
        """Push and buffer mode against file mode."""
        file = Case("file", self.sink, self.upload("file"))
        feed = Case("feed", self.sink, self.upload("feed"))
        buffer = Case("buffer", self.sink, self.upload("buffer"))
        file1 = Case("file, 1 in flight", self.sink, self.upload("file", in_flight=1))
        feed1 = Case("feed, 1 in flight", self.sink, self.upload("feed", in_flight=1))
        read = Case("reading", None, lambda: [str(OUT / "floor"), "read", "--file", str(self.data)])
        copy = Case("reading and one copy", None, lambda: [str(OUT / "floor"), "copy", "--file", str(self.data)])
        self.alternate("modes, send only", [file, feed, buffer, file1, feed1, read, copy])

        def above(more: Case, less: Case) -> float:
            return statistics.median(a["cpu"] - b["cpu"] for a, b in zip(more.results, less.results, strict=True))

        one = above(copy, read)
        for width, fed, lent in ((4, feed, file), (1, feed1, file1)):
            cost = above(fed, lent)
            self.row(f"feed, {width} in flight, CPU above file mode", "≤ one copy of each byte",
                     f"{cost * 1024 / self.size:.3f} s/GiB, a copy is {one * 1024 / self.size:.3f}", cost <= one)  # fmt: skip
        self.limit("buffer mode, CPU", "below file mode", ratio("cpu", [buffer], [file]), 1, below=True)

    def group_tls(self) -> None:
        """The same through TLS."""
        if not self.tls:
            raise Skip(self.why_no_tls)
        ours = Case("ours, 4 in flight, TLS", self.tls, self.upload("file", self.tls))
        floor = Case("floor, 4 connections, TLS", self.tls, self.floor_send(4, self.tls))
        ours1 = Case("ours, 1 in flight, TLS", self.tls, self.upload("file", self.tls, in_flight=1))
        floor1 = Case("floor, 1 connection, TLS", self.tls, self.floor_send(1, self.tls))
        self.alternate("TLS, send only", [ours, floor, ours1, floor1])
        self.limit("TLS, file mode, CPU", "below OpenSSL, 4 connections", ratio("cpu", [ours], [floor]), 1, below=True)
        self.row("TLS, file mode, wall", "(× OpenSSL, 4 connections)", f"{ratio('wall', [ours], [floor]):.2f}", None)
        self.row("TLS, 1 in flight, wall / CPU", "(× OpenSSL, 1 connection)",
                 f"{ratio('wall', [ours1], [floor1]):.2f} / {ratio('cpu', [ours1], [floor1]):.2f}", None)  # fmt: skip

    def group_latency(self) -> None:
        """50 ms before each reply, 100 MiB."""
        ms, slices = 50, 100
        data = make_data(OUT / f"data-{slices}", slices * MIB)
        cases = []
        for width in (1, 4, 16, 64):
            ours = Case(f"ours, {width} in flight", self.sink, self.upload("file", file=data, in_flight=width), latency_ms=ms)
            floor = Case(f"floor, {width} connections", self.sink, self.floor_send(width, file=data), latency_ms=ms)
            cases += [(width, ours, floor)]
        self.alternate("50 ms latency", [case for _, *pair in cases for case in pair])
        for width, ours, floor in cases:
            # init, the slices in rows of `width`, finish
            ideal = (2 + -(-slices // width)) * ms / 1000
            value = ours.median("wall") / ideal
            self.limit(f"50 ms latency, 100 MiB, {width} in flight", "≤ 1.10 × ideal", value, 1.10,
                       f"ideal {ideal:.2f} s of waiting alone; floor {floor.median('wall') / ideal:.2f}")  # fmt: skip

    def group_memory(self) -> None:
        """Peak memory, and that nothing grows with the object."""
        empty = Case("empty program", None, lambda: [str(OUT / "upload"), "empty"])
        with sparse(self.size * MIB) as one, sparse(10 * self.size * MIB) as ten:
            small = Case("sparse, send only", self.sink, self.upload("file", file=one))
            large = Case("sparse x 10, send only", self.sink, self.upload("file", file=ten))
            self.alternate("growth", [empty, small, large])
            hashed = [
                Case(f"sparse{times}, HASH 1", self.sink, self.upload("file", file=file, hash=1))
                for times, file in (("", one), (" x 10", ten))
            ]
            self.alternate("memory", hashed, runs=1)
            encrypted = []
            if self.tls:
                encrypted = [Case("sparse, TLS", self.tls, self.upload("file", self.tls, file=one))]
                self.alternate("memory, TLS", encrypted, runs=1)
        base = empty.median("rss_kib")
        names = [f"{self.size} MiB", f"{10 * self.size} MiB"]
        mib = [(case.median("rss_kib") - base) / 1024 for case in hashed]
        for name, value in zip(names, mib, strict=True):
            self.row(f"peak RSS above an empty program, {name}, HASH 1", "≤ 12 MiB", f"{value:.1f} MiB", value <= 12)
        self.row("peak RSS, both sizes", "the same (within 0.5 MiB)", f"{mib[1] - mib[0]:+.2f} MiB", abs(mib[1] - mib[0]) <= 0.5)
        for case in encrypted:
            value = (case.median("rss_kib") - base) / 1024
            self.row(f"peak RSS above an empty program, {names[0]}, TLS", "≤ 12 MiB", f"{value:.1f} MiB", value <= 12)
        self.limit("sending, CPU per slice, ten times the size", "constant (≤ 1.10 ×)", ratio("cpu", [large], [small]) / 10, 1.10,
                   f"wall {ratio('wall', [large], [small]) / 10:.2f}")  # fmt: skip

    def group_long(self) -> None:
        """64 GiB: only when asked for."""
        if not self.arguments.long:
            raise Skip("only with --long")
        with sparse(self.size * MIB) as one, sparse(64 * self.size * MIB) as many:
            small = Case("sparse, send only", self.sink, self.upload("file", file=one))
            large = Case("sparse x 64, send only", self.sink, self.upload("file", file=many))
            self.alternate("growth to 64 times", [small, large], runs=1)
            hashed = [
                Case(f"sparse{times}, hash pass", self.sink, self.upload("file", file=file, hash=1, kind="instant"))
                for times, file in (("", one), (" x 64", many))
            ]
            self.alternate("uploadparts of 64 times", hashed, runs=1)
        for what, few, many in (("sending", small, large), ("hash and uploadparts", *hashed)):
            # One run each: wall times are left to the note.
            self.limit(f"{what}, CPU per slice, 64 times the size", "constant (≤ 1.10 ×)", ratio("cpu", [many], [few]) / 64, 1.10,
                       f"wall {ratio('wall', [many], [few]) / 64:.2f}")  # fmt: skip

    def group_small(self) -> None:
        """A thousand small objects over one config."""
        if not self.has["curl"]:
            raise Skip("no libcurl")
        count, size = 1000, 4096
        sha = hashlib.sha1(b"x" * size).hexdigest()
        ours = Case("ours", self.sink, self.upload("small", hash=1, verify=1, count=count, bytes=size))
        curl = Case("libcurl", self.sink, self.curl("small", count=count, bytes=size, sha=sha))
        self.alternate("small objects", [ours, curl])
        note = f"{ours.median('wall') / count * 1e6:.0f} µs each; libcurl neither hashes nor signs"
        self.limit("small objects, wall", "≤ 1.2 × libcurl", ratio("wall", [ours], [curl]), 1.2, note)
        self.limit("small objects, CPU", "≤ 1.2 × libcurl", ratio("cpu", [ours], [curl]), 1.2,
                   f"{ours.median('cpu') / count * 1e6:.0f} µs each")  # fmt: skip
        if "server_requests" in ours.results[0]:
            requests, connections = ours.median("server_requests") / count, ours.median("server_connections")
            self.row("small objects, requests each / connections", "1 / 1", f"{requests:g} / {connections:g}",
                     requests == 1 and connections == 1)  # fmt: skip

    def group_python(self) -> None:
        """The Python binding."""
        env = {"PYTHONPATH": str(ROOT / "bindings" / "python"), "COSSLICE_LIBRARY": str(MEASURED)}
        ours = Case("C", self.sink, self.upload("file", hash=1))
        python = Case(
            "Python",
            self.sink,
            lambda: [sys.executable, str(HERE / "upload.py"), str(self.data), f"http://127.0.0.1:{self.sink.port}/files/v2",
                     self.name(), "1", "4"],
            env,
        )  # fmt: skip
        self.alternate("Python binding", [ours, python])
        self.limit("Python binding, whole upload, wall", "≤ 1.05 × the C program", ratio("wall", [python], [ours]), 1.05)

    def group_pypi(self) -> None:
        """The package of PyPI that speaks v4 and still installs."""
        if self.arguments.server == "emulator":
            raise Skip("it cannot be told a port there")
        python = OUT / "venv" / "bin" / "python"
        if not (OUT / "venv" / "ready").exists():
            for command in (
                [sys.executable, "-m", "venv", str(OUT / "venv")],
                [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "cos-lib3==0.2.0", "requests", "httplib2"],
            ):
                done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
                if done.returncode != 0:
                    raise Skip(f"cos-lib3 cannot be installed: {done.stderr.strip()[-100:]}")
            (OUT / "venv" / "ready").touch()
        ours = Case("ours, send only", self.sink, self.upload("file"))
        peer = Case("cos-lib3 0.2.0", self.sink, lambda: [str(python), str(HERE / "peer_pypi.py"), str(self.data),
                    f"127.0.0.1:{self.sink.port}", self.name()[1:]])  # fmt: skip
        self.alternate("a package of PyPI", [ours, peer], runs=3)
        self.row("send only, wall / CPU", "(× cos-lib3, a package of PyPI)",
                 f"{ratio('wall', [ours], [peer]):.2f} / {ratio('cpu', [ours], [peer]):.2f}", None)  # fmt: skip

    def group_sizes(self) -> None:
        """The stripped library by feature."""
        for goal, features, size in sizes(BUDGETS):
            most = SIZES[features]
            self.row(f"stripped libcosslice.so, make {goal}, {features}", f"≤ {most / 1e6:g} MB", f"{size / 1e6:.3f} MB", size <= most)

    def group_instructions(self) -> None:
        """Instructions against the recorded ones."""
        for key, recorded, counted in compare_instructions(self.sink, self.tls):
            self.row(f"instructions, {key}", f"≤ +{GROWTH:.0%} of {recorded:,}" if recorded else "(not recorded)", f"{counted:,}",
                     counted <= recorded * (1 + GROWTH) if recorded else None)  # fmt: skip

    GROUPS = ("send", "hash", "modes", "tls", "latency", "memory", "long", "small", "python", "pypi", "sizes", "instructions")

    def all(self) -> None:
        for name in self.GROUPS:
            if self.arguments.only and name not in self.arguments.only:
                continue
            if time.monotonic() > self.deadline:
                self.row(name, "", "", None, "left out: the time was up (--budget)")
                continue
            try:
                getattr(self, f"group_{name}")()
            except Skip as skip:
                if name != "long":
                    self.row(name, "", "", None, f"left out: {skip}")
            except RuntimeError as error:
                self.row(name, "", "", False, f"failed: {error}")


# --- sizes and instructions -------------------------------------------------------------------------------------------


def stripped_size(library: Path) -> int:
    copy = OUT / "stripped.so"
    shutil.copyfile(library, copy)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-unneeded", str(copy)], check=True)
    return copy.stat().st_size


def sizes(wanted) -> list[tuple[str, str, int]]:
    """How it was built, by `make lib` or `make small`, with which features, and its bytes. What is not there is built, aside."""
    found = []
    for goal, features in wanted:
        if (goal, features) == ("lib", "tls"):
            found.append((goal, features, stripped_size(MEASURED)))
            continue
        say(f"building: make {goal}, features: {features}")
        build = OUT / f"size-{features}"
        library = build / goal / "libcosslice.so"
        target = "small" if goal == "small" else library
        words = ["make", str(target), f"BUILD={build}", f"CARGOFLAGS={FEATURES[features]}"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            say(f"    does not build: {done.stderr.strip()[-300:]}")
            continue
        found.append((goal, features, stripped_size(library)))
    return found


def instructions_of(command: list[str]) -> int:
    """What callgrind counts."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
        capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    for line in done.stderr.splitlines():
        if "Collected :" in line:
            return int(line.rsplit(":", 1)[1])
    raise RuntimeError(f"callgrind: {done.stderr.strip()[-300:]}")


def count_instructions(sink, tls) -> dict[str, int]:
    """Per MiB and per small object: the difference of two sizes, so that starting up does not count. One slice in flight: no
    thread's luck decides. The CPU that valgrind shows has no SHA instructions, so that hashing counts as the portable code."""
    if not shutil.which("valgrind"):
        raise Skip("no valgrind")
    few, many = 4, 20
    counts = {}
    with contextlib.ExitStack() as stack:
        files = {size: stack.enter_context(sparse(size * MIB)) for size in (few, many)}

        def per_mib(server, kind: str, *options: str) -> int:
            def count(size: int) -> int:
                command = [str(OUT / "upload"), "file", "--file", str(files[size]), "--path", f"/{kind}-000001"]
                command += ["--endpoint", f"{server.scheme}://127.0.0.1:{server.port}/files/v2", "--in-flight", "1"]
                return instructions_of([*command, "--verify", "0", *options, *(["--ca", str(server.ca)] if server.ca else [])])

            return round((count(many) - count(few)) / (many - few))

        counts["per MiB sent"] = per_mib(sink, "object", "--hash", "0")
        counts["per MiB hashed"] = per_mib(sink, "instant", "--hash", "1")
        if tls:
            counts["per MiB sent through TLS"] = per_mib(tls, "object", "--hash", "0")

    def small(count: int) -> int:
        command = [str(OUT / "upload"), "small", "--endpoint", f"http://127.0.0.1:{sink.port}/files/v2", "--path", "/o"]
        return instructions_of([*command, "--bytes", "64", "--count", str(count)])

    counts["per small object"] = round((small(500) - small(100)) / 400)
    return counts


def compare_instructions(sink, tls) -> list[tuple[str, int | None, int]]:
    say("instructions: callgrind")
    recorded = json.loads(INSTRUCTIONS.read_text())["counts"] if INSTRUCTIONS.exists() else {}
    return [(key, recorded.get(key), count) for key, count in count_instructions(sink, tls).items()]


def with_sinks(do):
    sink = Sink()
    tls = None
    try:
        with contextlib.suppress(Skip):
            tls = Sink(make_certificates()) if has_header("openssl/ssl.h") else None
        return do(sink, tls)
    finally:
        sink.close()
        if tls:
            tls.close()


def counted_with() -> dict[str, str]:
    """What a count depends on beside the code."""
    return {"arch": platform.machine(), "valgrind": shell("valgrind", "--version"), "rustc": shell("rustc", "--version")}


def record_instructions() -> int:
    counts = with_sinks(count_instructions)
    INSTRUCTIONS.write_text(json.dumps({"counts": counts, "counted_with": counted_with()}, indent=2) + "\n")
    say(INSTRUCTIONS.read_text())
    return 0


def check() -> int:
    """For CI: nothing here depends on time."""
    failed = checked = 0
    comparable = json.loads(INSTRUCTIONS.read_text())["counted_with"] == counted_with()
    for key, recorded, counted in with_sinks(compare_instructions):
        if not recorded or not comparable:
            say(f"instructions {key}: {counted:,}, not compared: {'counted with other tools' if recorded else 'not recorded'}")
            continue
        checked += 1
        growth = counted / recorded - 1
        bad = growth > GROWTH
        failed += bad
        say(f"instructions {key}: {counted:,}, recorded {recorded:,} ({growth:+.1%}){'  TOO MANY' if bad else ''}")
    for goal, features, size in sizes([("lib", "tls"), ("lib", "none")]):
        most = BUDGETS[goal, features]
        bad = size > most
        checked += 1
        failed += bad
        say(f"size by make {goal}, {features}: {size:,}, at most {most:,}{'  TOO LARGE' if bad else ''}")
    if failed:
        say("Make it smaller again, or record why it has to be so: benches/run.py --instructions, BUDGETS")
    say(f"{checked - failed} passed, {failed} failed")
    return 1 if failed else 0


# --- the report -------------------------------------------------------------------------------------------------------


def machine() -> list[str]:
    cpu = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        cpu.setdefault(key.strip(), value.strip())
    flags = set(cpu.get("flags", cpu.get("Features", "")).split())
    seen = [flag for flag in ("sha_ni", "sha1", "aes", "vaes", "avx2", "avx512f") if flag in flags]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / MIB
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    return [
        f"CPU: {cpu.get('model name', platform.machine())}, {cores} cores, {' '.join(seen)}",
        f"Memory: {memory:.1f} GiB; kernel {platform.release()}",
        f"{shell('cc', '--version').splitlines()[0]}; {shell('rustc', '--version')}; Python {platform.python_version()}",
        f"{shell('openssl', 'version')}; {(shell('curl-config', '--version') or 'no libcurl')}; {shell('valgrind', '--version')}",
        f"libcosslice of commit {shell('git', 'rev-parse', '--short', 'HEAD', cwd=ROOT) or '?'}",
        f"Load when it began: {load:.1f}"
        + (" - THE MACHINE IS BUSY: wall times mean little, CPU times are too high" if load > 0.5 * cores else ""),
    ]


def table(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"  # noqa: E731
    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def report(bench: Bench, facts: list[str]) -> None:
    details = []
    for title, cases in bench.groups:
        for case in cases:
            if not case.results:
                continue
            walls = [result["wall"] for result in case.results]
            has_server = "server_cpu" in case.results[0]
            details.append(
                (
                    title, case.name, f"{statistics.median(walls):.3f}", f"{min(walls):.3f}", f"{max(walls):.3f}",
                    f"{case.median('user'):.3f}", f"{case.median('sys'):.3f}", f"{case.median('rss_kib') / 1024:.1f}",
                    f"{case.median('server_cpu'):.3f}" if has_server else "",
                    f"{case.median('server_requests'):g}" if "server_requests" in case.results[0] else "",
                    f"{case.median('server_connections'):g}" if "server_requests" in case.results[0] else "",
                )
            )  # fmt: skip
    lines = [
        *(f"- {fact}" for fact in [*facts, f"Load when it ended: {os.getloadavg()[0]:.1f}"]),
        f"- {bench.size} MiB in 1 MiB slices, {bench.runs} rounds, far end: {bench.arguments.server}",
        "",
        table(bench.rows, ("what", "target", "measured", "", "note")),
        "",
        table(details, ("group", "case", "wall s", "least", "most", "user s", "sys s", "RSS MiB", "server CPU s", "requests",
                        "connections")),  # fmt: skip
        "",
    ]
    text = "\n".join(lines)
    say()
    say(text)
    (OUT / "result.md").write_text(text)
    (OUT / "result.json").write_text(
        json.dumps(
            {
                "machine": facts,
                "size_mib": bench.size,
                "rows": bench.rows,
                "cases": [
                    {"group": title, "case": case.name, "results": case.results} for title, cases in bench.groups for case in cases
                ],
            },
            indent=1,
        )
    )
    say(f"Also in {OUT / 'result.md'} and result.json.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the file that is sent (1024)")
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--quick", action="store_true", help="64 MiB, 3 rounds: to try")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="GROUPS", help=", ".join(Bench.GROUPS))
    parser.add_argument("--long", action="store_true", help="also 64 times the size, sparse")
    parser.add_argument("--budget", type=float, default=1500, metavar="SECONDS", help="no new round after this time (1500)")
    parser.add_argument("--server", choices=("sink", "emulator"), default="sink", help="the far end (sink)")
    parser.add_argument("--no-install", action="store_true", help="do not install what is missing, also as root")
    parser.add_argument("--instructions", action="store_true", help="count instructions and record them")
    parser.add_argument("--check", action="store_true", help="fail on more instructions or bytes than recorded")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.size, arguments.runs = 64, 3
    install_missing(not arguments.no_install)
    facts = machine()
    has = build()
    if arguments.instructions:
        return record_instructions()
    if arguments.check:
        return check()
    for fact in facts:
        say(fact)
    bench = Bench(arguments, has)
    try:
        bench.all()
    finally:
        bench.close()
    report(bench, facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
