"""The command line: ``python -m cosslice put FILE BUCKET/PATH`` and ``... sign /PATH``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tqdm import tqdm

from . import Config, LogLevel, Overwrite, Phase, Upload, __version__, errors

EXIT_CODES = {
    errors.InvalidArgumentError: 2,
    errors.ExistsError: 3,
    errors.ConflictError: 3,
    errors.AuthError: 4,
    errors.FileError: 5,
    errors.SourceChangedError: 5,
}

EPILOG = """\
The environment gives what is not said here: COSSLICE_APP_ID, COSSLICE_SECRET_ID,
COSSLICE_SECRET_KEY (or COSSLICE_AUTHORIZATION, a ready-made signature), COSSLICE_REGION or
COSSLICE_ENDPOINT, and COSSLICE_LIBRARY, the path of the library. The secret key has no option,
because other users of the machine can see a command line.

exit codes:
  0 done   2 wrong usage   3 the name is taken   4 not authorized
  5 the file cannot be read or has changed   130 interrupted   1 any other failure
"""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        code: int = arguments.run(arguments)
        return code
    except errors.CossliceError as exc:
        print(f"cosslice: {exc}", file=sys.stderr)
        if exc.request_id:
            print(f"  request id: {exc.request_id}", file=sys.stderr)
        if exc.retryable:
            print("  trying again later may help", file=sys.stderr)
        return EXIT_CODES.get(type(exc), 1)
    except OSError as exc:
        print(f"cosslice: {exc}", file=sys.stderr)
        return EXIT_CODES[errors.FileError]
    except KeyboardInterrupt:
        print("cosslice: interrupted; run the same command again to continue", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cosslice",
        description="Upload large objects to Tencent COS.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cosslice {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--app-id", default=os.environ.get("COSSLICE_APP_ID"))
    common.add_argument("--secret-id", default=os.environ.get("COSSLICE_SECRET_ID"))

    put = commands.add_parser("put", parents=[common], help="upload a file")
    put.add_argument("file", type=Path, metavar="FILE")
    put.add_argument(
        "target", metavar="BUCKET/PATH", help="a PATH that ends with / gets the file's name"
    )
    put.add_argument("--region", default=os.environ.get("COSSLICE_REGION"))
    put.add_argument("--endpoint", default=os.environ.get("COSSLICE_ENDPOINT"), metavar="URL")
    put.add_argument("--ca-pem", type=Path, metavar="FILE", help="trust these certificates only")
    put.add_argument("--proxy", metavar="URL")
    put.add_argument("--in-flight", type=int, metavar="N", help="slices on their way at once")
    put.add_argument("--bandwidth", type=int, metavar="N", help="limit in bytes per second")
    put.add_argument(
        "--no-hash",
        action="store_true",
        help="do not read the file twice; an interrupted upload then cannot continue",
    )
    put.add_argument("--overwrite", action="store_true", help="replace an existing object")
    put.add_argument(
        "--discard-unfinished",
        action="store_true",
        help="also discard an unfinished upload of other content",
    )
    put.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    put.add_argument("-v", "--verbose", action="count", default=0, help="log; twice for more")
    put.set_defaults(run=_put)

    sign = commands.add_parser("sign", parents=[common], help="print a signature for an object")
    sign.add_argument("path", metavar="/PATH")
    sign.add_argument("--bucket", default=os.environ.get("COSSLICE_BUCKET"))
    sign.add_argument(
        "--expires-in", type=int, default=300, metavar="SECONDS", help="default 300; 0: one-time"
    )
    sign.set_defaults(run=_sign)
    return parser


def _put(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    bucket, _, path = arguments.target.partition("/")
    if not path or path.endswith("/"):
        path += file.name
    overwrite = Overwrite.NEVER
    if arguments.discard_unfinished:
        overwrite = Overwrite.UNFINISHED
    elif arguments.overwrite:
        overwrite = Overwrite.OBJECT
    config = Config(
        app_id=arguments.app_id,
        bucket=bucket,
        region=arguments.region,
        endpoint=arguments.endpoint,
        secret_id=arguments.secret_id,
        secret_key=os.environ.get("COSSLICE_SECRET_KEY"),
        authorization=os.environ.get("COSSLICE_AUTHORIZATION"),
        ca_pem=arguments.ca_pem and arguments.ca_pem.read_text(),
        proxy=arguments.proxy,
        in_flight=arguments.in_flight,
        bandwidth=arguments.bandwidth,
        hash=not arguments.no_hash,
        overwrite=overwrite,
    )
    if arguments.verbose:
        level = LogLevel.INFO if arguments.verbose == 1 else LogLevel.DEBUG
        # tqdm.write keeps the lines apart from the bar.
        config.set_logger(lambda _, line: tqdm.write(line, file=sys.stderr), level)

    started = time.monotonic()
    with Upload(config, f"/{path}") as upload, _Bar(upload, arguments.quiet) as bar:
        upload.progress = bar.show
        upload.file(file)
    if not arguments.quiet:
        print(_summary(upload, time.monotonic() - started), file=sys.stderr)
    print(upload.access_url)
    return 0


def _summary(upload: Upload, seconds: float) -> str:
    summary = f"{upload.bytes_total} bytes in {seconds:.1f} s"
    if upload.instant:
        return f"{summary}: the server had the content already"
    if upload.bytes_resumed:
        return f"{summary}, of these {upload.bytes_resumed} were there already"
    return summary


class _Bar(tqdm):  # type: ignore[type-arg] # generic in the stubs only
    """One bar, which starts anew for sending after it has shown hashing."""

    def __init__(self, upload: Upload, quiet: bool) -> None:
        # None: no bar where stderr is not a terminal.
        disable = True if quiet else None
        super().__init__(unit="B", unit_scale=True, unit_divisor=1024, disable=disable)
        self.upload = upload
        self.phase = Phase.IDLE

    def show(self, phase: Phase, bytes_done: int, bytes_total: int) -> None:
        if self.disable:  # then it is hardly initialized
            return
        if phase is not self.phase:
            self.phase = phase
            self.set_description(phase.name.capitalize(), refresh=False)
            if phase in (Phase.HASHING, Phase.SENDING):
                self.reset(bytes_total)
        resumed = self.upload.bytes_resumed or 0
        if resumed > self.initial:  # what was there already says nothing about the speed
            self.initial = self.n = self.last_print_n = resumed
        self.update(bytes_done - self.n)


def _sign(arguments: argparse.Namespace) -> int:
    expires_at_s = int(time.time()) + arguments.expires_in if arguments.expires_in else 0
    with Config(
        app_id=arguments.app_id,
        bucket=arguments.bucket,
        secret_id=arguments.secret_id,
        secret_key=os.environ.get("COSSLICE_SECRET_KEY"),
    ) as config:
        print(config.sign(arguments.path, expires_at_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())
