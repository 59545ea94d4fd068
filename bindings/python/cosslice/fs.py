"""A file system for fsspec, by which pandas, Dask, Ray and others write to COS.

::

    df.to_csv("cos4://bkt/tables/a.csv")
    dask_bag.to_textfiles("cos4://bkt/lines/*.txt.gz", storage_options={"region": "gz"})
    fsspec.filesystem("cos4").put("results/", "cos4://bkt/results/", recursive=True)

It only writes. It is found by the URL when the package is installed with ``cosslice[fsspec]``.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.spec import AbstractFileSystem

from ._constants import LogLevel, Overwrite, Phase
from .config import Config, Logger, Options
from .signer import Signer
from .upload import Upload
from .writer import SpooledWriter

if TYPE_CHECKING:
    from typing_extensions import Buffer, Never

_OPTIONS = set(Options.__annotations__)
_SECRETS = ("secret_key", "authorization", "proxy")


class WriteOnlyError(io.UnsupportedOperation, FileNotFoundError):
    """`CossliceFileSystem` was asked to read, to list, to delete or what is there.

    It is an `io.UnsupportedOperation`, hence an OSError and a ValueError. It is a FileNotFoundError
    too, because programs that look before they write take it for "nothing there yet" and go on.
    """


class CossliceFileSystem(AbstractFileSystem):
    """Writes objects to Tencent COS; the names are ``cos4://bucket/path``.

    Args:
        signer: see `Config.set_signer`.
        logger: see `Config.set_logger`.
        log_level: see `Config.set_logger`.
        spool_dir: see `cosslice.open`.
        **options: these and those of fsspec's AbstractFileSystem are the ``storage_options``. The
            ones named in `cosslice.Options` mean the same here, but ``bucket``, which comes from
            the name.

    What is missing of the account is read from the environment, see `Config.from_environment`. That
    is the way to prefer where tasks travel to other machines: fsspec pickles the options with the
    tasks, keys included.

    An existing object is replaced, as is usual for file systems, and stays whole until the new one
    is complete; ``mode="xb"`` and ``mode="create"`` refuse it with `ExistsError`, a
    FileExistsError, which comes when the file is closed. The option ``overwrite`` changes that:
    `Overwrite.NEVER` always refuses, `Overwrite.UNFINISHED` also discards an unfinished upload of
    other content, which is a `ConflictError` otherwise.

    ``open`` returns a `cosslice.Writer`, ``put_file`` sends a local file from where it lies,
    ``pipe_file`` sends from memory. Directories need not be made: making them does nothing. A
    transaction sends when it ends, or not at all. Everything else (reading, listing, ``exists``,
    ``rm``) raises `WriteOnlyError`.

    May be used in a child process after a fork, too, and by several threads.
    """

    protocol = ("cos4", "cosslice")

    def __init__(
        self,
        *args: Any,
        signer: Signer | None = None,
        logger: Logger | None = None,
        log_level: LogLevel = LogLevel.INFO,
        spool_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        if self._cached:
            return  # fsspec returns instances again
        mine = {name: options.pop(name) for name in list(options) if name in _OPTIONS}
        if "bucket" in mine:
            raise TypeError("the bucket stands in the name: cos4://bucket/path")
        super().__init__(*args, **options)
        self._overwrite = Overwrite(mine.pop("overwrite", Overwrite.OBJECT))
        self._options: Options = mine  # type: ignore[assignment]
        self._hooks: dict[str, Any] = {
            "signer": signer,
            "logger": logger,
            "log_level": log_level,
        }
        self._spool_dir = spool_dir
        self._configs: dict[tuple[int, str], Config] = {}

    # Writing

    def put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **kwargs: Any,
    ) -> None:
        """Uploads the local file `lpath` as `rpath`; tells `callback` the bytes COS has taken.

        See `Upload.file`: it resumes, and refuses files that change. A directory does nothing.
        """
        if os.path.isdir(lpath):
            return
        callback.set_size(os.path.getsize(lpath))
        with self._upload(rpath, _exclusive(mode)) as upload:

            def progress(phase: Phase, bytes_done: int, bytes_total: int) -> None:
                if phase >= Phase.SENDING:
                    callback.absolute_update(bytes_done)

            upload.progress = progress
            upload.file(lpath)
            callback.absolute_update(upload.bytes_done)

    def pipe_file(self, path: str, value: Buffer, mode: str = "overwrite", **kwargs: Any) -> None:
        """Uploads the bytes-like object `value` as `path`, see `Upload.buffer`."""
        with self._upload(path, _exclusive(mode)) as upload:
            upload.buffer(value)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> _File:
        if mode not in ("wb", "xb"):
            self._refuse(f"open {path!r} with mode {mode!r}")
        return _File(self._upload(path, mode == "xb"), self._spool_dir, autocommit)

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        """Makes an empty object; an existing one is replaced."""
        if not truncate:
            self._refuse(f"touch {path!r} without truncating it")
        self.pipe_file(path, b"")

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Does nothing: COS needs no directories."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Does nothing: COS needs no directories."""

    # What it cannot do

    def info(self, path: str, **kwargs: Any) -> Never:
        """Raises `WriteOnlyError`: it cannot tell what is there."""
        self._refuse(f"tell whether {path!r} exists")

    def exists(self, path: str, **kwargs: Any) -> Never:
        """Raises `WriteOnlyError`: it cannot tell what is there."""
        self._refuse(f"tell whether {path!r} exists")

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Never:
        """Raises `WriteOnlyError`: it cannot list."""
        self._refuse(f"list {path!r}")

    def walk(self, path: str, *args: Any, **kwargs: Any) -> Never:
        """Raises `WriteOnlyError`: it cannot list, and so cannot `find`, `glob` and `du`."""
        self._refuse(f"list {path!r}")

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> Never:
        """Raises `WriteOnlyError`: it cannot read."""
        self._refuse(f"read {path!r}")

    def get_file(self, rpath: str, lpath: Any, **kwargs: Any) -> Never:
        """Raises `WriteOnlyError`: it cannot read."""
        self._refuse(f"read {rpath!r}")

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> Never:
        """Raises `WriteOnlyError`: it cannot delete."""
        self._refuse(f"delete {path!r}")

    def rm_file(self, path: str) -> Never:
        """Raises `WriteOnlyError`: it cannot delete."""
        self._refuse(f"delete {path!r}")

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> Never:
        """Raises `WriteOnlyError`: it cannot copy."""
        self._refuse(f"copy {path1!r}")

    def created(self, path: str) -> Never:
        """Raises `WriteOnlyError`: it cannot tell what is there."""
        self._refuse(f"tell when {path!r} was made")

    def modified(self, path: str) -> Never:
        """Raises `WriteOnlyError`: it cannot tell what is there."""
        self._refuse(f"tell when {path!r} was changed")

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """As fsspec's; without the password, also without what else is secret."""
        fields: dict[str, Any] = super().to_dict(include_password=include_password)
        if not include_password:
            for name in _SECRETS:
                fields.pop(name, None)
        return fields

    @staticmethod
    def _refuse(what: str) -> Never:
        raise WriteOnlyError(f"cosslice only writes to COS: it cannot {what}")

    def _upload(self, path: str, exclusive: bool) -> Upload:
        bucket, _, name = self._strip_protocol(path).lstrip("/").partition("/")
        key = os.getpid(), bucket  # configs do not survive a fork
        config = self._configs.get(key)
        if config is None:
            options: Options = {**self._options, "bucket": bucket}
            made = Config.from_environment(**self._hooks, **options)
            config = self._configs.setdefault(key, made)
        with config._lock:
            config.update(overwrite=Overwrite.NEVER if exclusive else self._overwrite)
            return Upload(config, f"/{name}")


class _File(SpooledWriter):
    """A `Writer` that can take part in fsspec's transactions."""

    def __init__(self, upload: Upload, spool_dir: Any, autocommit: bool) -> None:
        super().__init__(upload, spool_dir)
        self._autocommit = autocommit

    def close(self) -> None:
        """Completes the object, or leaves that to the transaction."""
        if self._autocommit or self._failure() is not None:
            super().close()
        else:
            io.BufferedIOBase.close(self)

    def commit(self) -> None:
        """Completes the object at the end of a transaction, unless it was abandoned."""
        self.close()
        if not self.upload.closed:
            try:
                self._complete()
            finally:
                self.abort()

    def discard(self) -> None:
        """Abandons it at the end of a transaction."""
        self.abort()


def _exclusive(mode: str) -> bool:
    if mode not in ("overwrite", "create"):
        raise ValueError(f"mode must be 'overwrite' or 'create', not {mode!r}")
    return mode == "create"
