"""Config: where uploads go, who signs them and how they behave."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, Union

from . import _arguments, _callbacks
from ._arguments import decode
from ._calls import run
from ._constants import LogLevel, Option, Overwrite, Status
from ._handle import Handle
from ._library import lib
from .errors import make_error
from .signer import Signer

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

LogFunction = Callable[[LogLevel, str], Any]
Logger = Union[logging.Logger, LogFunction]

_LOGGING_LEVELS = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARN: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
}

# What `Config.from_environment` reads.
_PLACE = ("app_id", "bucket", "region", "endpoint")
_KEYS = ("secret_id", "secret_key", "authorization")


class Options(TypedDict, total=False):
    """The options by name. None leaves an option as it is; an empty text returns it to its
    default. Numbers have their unit in the name or in the text here."""

    app_id: str | None
    """The account's number."""
    bucket: str | None
    """The bucket's short name, without the app id."""
    region: str | None
    """E.g. ``gz``, ``sh``, ``tj``; not needed with an endpoint."""
    endpoint: str | None
    """Base URL, by default ``https://<region>.file.myqcloud.com/files/v2``."""
    secret_id: str | None
    secret_key: str | None
    """The key pair; on a user's device use a signer instead."""
    authorization: str | None
    """One ready-made signature for all requests."""
    biz_attr: str | None
    """Text that COS keeps with the object."""
    resume_token: str | None
    """`Upload.resume_token` of an upload by `Upload.feed` that broke off, to continue it."""
    ca_pem: str | None
    """Certificates in PEM that replace the built-in roots (the text, not a file name)."""
    proxy: str | None
    """``http://[user:password@]host:port``, which takes CONNECT; the environment is never read."""
    user_agent: str | None
    slice_size: int | None
    """Bytes per slice, 65536..67108864, default 1048576, the only size that every server takes; it
    may answer with another."""
    in_flight: int | None
    """Slices on their way at once, 1..64, default 4."""
    retries: int | None
    """Further tries per request, 0..100, default 5."""
    connect_timeout_ms: int | None
    """Milliseconds to connect, name lookup and TLS included, 100..600000, default 10000."""
    io_timeout_ms: int | None
    """Longest silence of the server in milliseconds, 100..3600000, default 60000."""
    sign_ttl_s: int | None
    """Seconds that signatures last, 60..7776000, default 900."""
    overwrite: Overwrite | int | None
    """What happens to what is there, default `Overwrite.NEVER`."""
    resume: bool | None
    """Continue an unfinished upload of the same content, default True."""
    hash: bool | None
    """`Upload.file` and `Upload.buffer` hash first, which allows instant uploads, safe resume and
    a check by the server; `Upload.feed` hashes what it gets; default True."""
    verify: bool | None
    """Compare with the server's record after finish where no hash was sent, default True."""
    single_max: int | None
    """`Upload.file` and `Upload.buffer` send up to this many bytes in one request, 0..20971520,
    default 1048576; 0 does so for empty files only."""
    bandwidth: int | None
    """Bytes per second over all slices of an upload; 0, the default, sets no limit."""


class Config(Handle):
    """A template for uploads, which take a copy of it and share its connections.

    Args:
        signer: called for signatures instead of using a key pair, see `set_signer`.
        logger: gets the library's log, see `set_logger`.
        log_level: the least important level that the logger gets.
        **options: see `Options`.

    Methods do not block on the network and may be called from any thread. They raise
    `InvalidArgumentError` for a value out of range and TypeError for an option that does not
    exist. A config may be closed while its uploads go on. It belongs to the process that made it:
    it cannot be pickled, and after a fork the child needs one of its own.
    """

    def __init__(
        self,
        *,
        signer: Signer | None = None,
        logger: Logger | None = None,
        log_level: LogLevel = LogLevel.INFO,
        **options: Unpack[Options],
    ) -> None:
        handle = ctypes.c_void_p()
        status = run(lib.cosslice_config_new, ctypes.byref(handle))
        if status != Status.OK:
            raise make_error(status, decode(lib.cosslice_status_str(status)))
        super().__init__(handle, lib.cosslice_config_free)  # its lock: one thread at a time
        self._hashes = True
        self.update(**options)
        if signer is not None:
            self.set_signer(signer)
        if logger is not None:
            self.set_logger(logger, log_level)

    @classmethod
    def from_environment(
        cls,
        *,
        signer: Signer | None = None,
        logger: Logger | None = None,
        log_level: LogLevel = LogLevel.INFO,
        **options: Unpack[Options],
    ) -> Self:
        """A config whose account comes from the environment, so that no key stands in a program or
        travels to other machines.

        Reads ``COSSLICE_`` with ``APP_ID``, ``BUCKET``, ``REGION``, ``ENDPOINT``, ``SECRET_ID``,
        ``SECRET_KEY`` and ``AUTHORIZATION``, as ``python -m cosslice`` does. An option that is
        given here is taken instead; the keys of the environment are not used beside a signer, nor
        beside keys that are given.
        """
        names = _PLACE if signer is not None or any(map(options.get, _KEYS)) else _PLACE + _KEYS
        found: dict[str, Any] = {name: os.environ.get(f"COSSLICE_{name.upper()}") for name in names}
        found.update({name: value for name, value in options.items() if value is not None})
        return cls(signer=signer, logger=logger, log_level=log_level, **found)

    def update(self, **options: Unpack[Options]) -> None:
        """Sets options for uploads made from now on."""
        for name, value in options.items():
            if value is not None:
                self.set(name, value)

    def set(self, name: str, value: Any) -> None:
        """Sets one option by its name."""
        try:
            option = Option[name.upper()]
        except KeyError:
            raise TypeError(f"there is no option {name!r}") from None
        if option.is_text:
            self._call(lib.cosslice_config_set_str, option, _arguments.text(value, name))
        else:
            self._call(lib.cosslice_config_set_u64, option, _arguments.unsigned(value, name))
            if option is Option.HASH:
                self._hashes = bool(value)

    def set_signer(self, signer: Signer) -> None:
        """Lets `signer` sign, so that the secret key can stay elsewhere.

        It is called on the thread that is inside a call of an upload, with a `SignRequest`, and
        returns the value of the ``Authorization`` header. If it raises, the upload is cancelled
        and the call raises that exception. It is kept until this config has another signer or is
        closed, and its uploads are closed.
        """
        if not callable(signer):
            raise TypeError("a signer must be callable")
        self._register(lib.cosslice_config_set_signer, _callbacks.sign, target=signer)

    def set_logger(self, logger: Logger, level: LogLevel = LogLevel.INFO) -> None:
        """Sends log lines to a `logging.Logger` or to a function of level and message.

        Lines hold no secrets. `level` is the least important one that is sent. A function is
        called, may raise and is kept as described for `set_signer`.
        """
        if isinstance(logger, logging.Logger):
            function: LogFunction = functools.partial(_log_to, logger)
        elif callable(logger):
            function = logger
        else:
            raise TypeError("a logger must be a logging.Logger or callable")
        self._register(
            lib.cosslice_config_set_logger, LogLevel(level), _callbacks.log, target=function
        )

    def sign(self, path: str, expires_at_s: int = 0) -> str:
        """A signature for the object `path`, made with the key pair of this config.

        For the server that signs for others. A `path` that ends with ``/`` covers all below it,
        "" the whole bucket. `expires_at_s` is in Unix seconds; 0 makes a one-time signature, as
        deleting needs it.
        """
        encoded = _arguments.text(path, "the object path")
        expiry = _arguments.unsigned(expires_at_s, "expires_at_s")
        length = ctypes.c_size_t(1023)
        with self._lock:
            while True:
                size = length.value + 1
                out = ctypes.create_string_buffer(size)
                arguments = (encoded, expiry, out, size, ctypes.byref(length))
                status = run(lib.cosslice_config_sign, self._open(), *arguments)
                if length.value < size:
                    break
            self._check(status)
        return out.value.decode("ascii")

    def close(self) -> None:
        """Frees the config; its uploads go on. Closing again does nothing."""
        with self._lock:
            super().close()

    def _open(self) -> ctypes.c_void_p:
        if not self._free.alive:
            raise make_error(Status.STATE, "the config is closed")
        return self._handle

    def _call(self, function: Callable[..., Any], *args: object) -> None:
        with self._lock:
            self._check(run(function, self._open(), *args))

    def _register(self, setter: Callable[..., Any], *args: object, target: object) -> None:
        with self._lock:
            self._check(_callbacks.register(setter, self._open(), *args, target=target))

    def _check(self, status: int) -> None:
        if status != Status.OK:
            message = decode(lib.cosslice_config_message(self._handle))
            raise make_error(status, message or decode(lib.cosslice_status_str(status)))


def _log_to(logger: logging.Logger, level: LogLevel, message: str) -> None:
    logger.log(_LOGGING_LEVELS[level], "%s", message)
