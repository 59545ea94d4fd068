"""Upload large objects to Tencent COS through its v4 slice API.

::

    import cosslice

    config = cosslice.Config(
        app_id="1250000000", bucket="bkt", region="gz", secret_id="AKID...", secret_key="..."
    )
    print(cosslice.upload_file(config, "a.mp4", "/videos/a.mp4").access_url)

- `upload_file` and `upload_fileobj`: whole files and anything with a ``read`` method.
- `open`: a binary file object to write to.
- `Upload`: one upload with all its details: pieces, progress, cancel, resume, properties.
- `Config` and `Options`: where uploads go, who signs and how they behave.
- `CossliceError` and its subclasses: what can fail.
- ``cosslice.aio``: the same for asyncio. ``cosslice.fs``: a file system for fsspec, by which
  pandas, Dask and others write to ``cos4://bucket/path``.
"""

from ._arguments import decode as _decode
from ._constants import LogLevel, Overwrite, Phase, Status
from ._library import lib as _lib
from .config import Config, Options
from .errors import (
    AuthError,
    BusyError,
    CanceledError,
    ConflictError,
    CossliceError,
    ExistsError,
    FileError,
    ForkedError,
    IntegrityError,
    InvalidArgumentError,
    NetworkError,
    NotFoundError,
    OutOfMemoryError,
    PanicError,
    ProtocolError,
    ServerError,
    SourceChangedError,
    StateError,
    TimedOutError,
    TlsError,
    UnknownOptionError,
)
from .signer import Signer, SignRequest
from .transfer import upload_file, upload_fileobj
from .upload import Upload
from .writer import Writer, open

__version__ = _decode(_lib.cosslice_version())

__all__ = [
    "AuthError",
    "BusyError",
    "CanceledError",
    "Config",
    "ConflictError",
    "CossliceError",
    "ExistsError",
    "FileError",
    "ForkedError",
    "IntegrityError",
    "InvalidArgumentError",
    "LogLevel",
    "NetworkError",
    "NotFoundError",
    "Options",
    "OutOfMemoryError",
    "Overwrite",
    "PanicError",
    "Phase",
    "ProtocolError",
    "ServerError",
    "SignRequest",
    "Signer",
    "SourceChangedError",
    "StateError",
    "Status",
    "TimedOutError",
    "TlsError",
    "UnknownOptionError",
    "Upload",
    "Writer",
    "__version__",
    "open",
    "upload_file",
    "upload_fileobj",
]
