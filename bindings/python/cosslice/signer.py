"""What a signer is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ._arguments import decode
from ._constants import SignField
from ._library import lib


@dataclass(frozen=True)
class SignRequest:
    """A request for one signature, as the server of your application needs it."""

    op: str
    """The operation to sign, e.g. ``upload_slice_init``."""
    app_id: str
    bucket: str
    path: str
    """The object, e.g. ``/dir/a b.txt``, not encoded."""
    file_id: str
    """The field ``f`` of the signature: ``/appid/bucket/encoded-path``."""
    expires_at_s: int
    """Wanted expiry in Unix seconds; 0 asks for a one-time signature."""
    now_s: int
    """The time in Unix seconds, corrected by the server's clock where that is known."""

    @classmethod
    def _read(cls, pointer: int) -> SignRequest:
        def text(field: SignField) -> str:
            return decode(lib.cosslice_sign_get_str(pointer, field))

        def number(field: SignField) -> int:
            return int(lib.cosslice_sign_get_u64(pointer, field))

        return cls(
            op=text(SignField.OP),
            app_id=text(SignField.APP_ID),
            bucket=text(SignField.BUCKET),
            path=text(SignField.PATH),
            file_id=text(SignField.FILE_ID),
            expires_at_s=number(SignField.EXPIRES_AT_S),
            now_s=number(SignField.NOW_S),
        )


Signer = Callable[[SignRequest], str]
"""Returns the value of the ``Authorization`` header; an empty text refuses."""
