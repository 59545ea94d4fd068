"""upload.c's `file`, through the Python binding: upload.py FILE ENDPOINT PATH HASH IN_FLIGHT."""

import json
import resource
import sys
import time

import cosslice


def main() -> None:
    file, endpoint, path, hash_, in_flight = sys.argv[1:]
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    config = cosslice.Config(
        app_id="1250000000",
        bucket="bkt",
        secret_id="AKIDEXAMPLE",
        secret_key="examplesecretkey",
        endpoint=endpoint,
        hash=bool(int(hash_)),
        verify=False,
        in_flight=int(in_flight),
    )
    with cosslice.Upload(config, path) as upload:
        upload.file(file)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status", encoding="utf-8") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(
        json.dumps(
            {
                "wall": wall,
                "user": after.ru_utime - before.ru_utime,
                "sys": after.ru_stime - before.ru_stime,
                "rss_kib": rss,
            }
        )
    )


main()
