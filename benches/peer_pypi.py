"""cos-lib3, the package of PyPI that speaks v4 and still installs: peer_pypi.py FILE HOST:PORT NAME.

It knows the service's hosts only; what it takes for a region is put in front of them, so that a slash there makes it talk to
this machine. It sends one slice after the other, each on a connection of its own, and hashes nothing.
"""

import json
import resource
import sys
import time

from cos_lib3.cos import Cos


def main() -> None:
    file, address, name = sys.argv[1:]
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    cos = Cos(1250000000, "AKIDEXAMPLE", "examplesecretkey", region=f"{address}/")
    reply = cos.get_bucket("bkt").upload_slice_file(real_file_path=file, slice_size=1 << 20, file_name=name)
    if "access_url" not in reply:
        sys.exit(f"not uploaded: {reply}")
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status", encoding="utf-8") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(json.dumps({"wall": wall, "user": user, "sys": system, "rss_kib": rss}))


main()
