"""Upload large objects to Tencent COS through its v4 slice API.

::

    import cosslice

    config = cosslice.Config(
        app_id="1250000000", bucket="bkt", region="gz", secret_id="AKID...", secret_key="..."
    )
    with cosslice.Upload(config, "/videos/a.mp4") as upload:
        upload.file("a.mp4")
    print(upload.access_url)
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
from .upload import Upload

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
    "__version__",
]
