"""Uploads a file with signatures from `sign_server.py`; no secret key is on this machine.

::

    COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_REGION=gz \
    SIGN_URL=http://127.0.0.1:8080/sign SIGN_TOKEN=s3cret python upload_signed.py a.mp4 /alice/a.mp4
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request

import cosslice

SILENCE_S = 10


def signer(url: str, token: str) -> cosslice.Signer:
    """Asks the sign server. What it raises comes out of the upload's call."""

    def ask(request: cosslice.SignRequest) -> str:
        wanted = {
            "path": request.path,
            "bucket": request.bucket,
            "expires_at_s": request.expires_at_s,
        }
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        post = urllib.request.Request(url, json.dumps(wanted).encode(), headers)
        with urllib.request.urlopen(post, timeout=SILENCE_S) as response:
            signature: str = json.load(response)["signature"]
            return signature

    return ask


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: upload_signed.py FILE /path/in/bucket")
    ask = signer(os.environ["SIGN_URL"], os.environ["SIGN_TOKEN"])
    with cosslice.Config.from_environment(signer=ask) as config:
        print(cosslice.upload_file(config, sys.argv[1], sys.argv[2]).access_url)


if __name__ == "__main__":
    main()
