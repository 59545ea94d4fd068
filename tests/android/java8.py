"""Makes a jar of Java 8's classes, without code, from the signatures that a newer JDK keeps for `javac --release 8`.

    java8.py JAVA_HOME/lib/ct.sym OUT.jar
"""

import sys
import zipfile

signatures, jar = sys.argv[1:]
with zipfile.ZipFile(signatures) as source, zipfile.ZipFile(jar, "w") as target:
    for entry in source.namelist():
        # A folder's name has a letter or digit for each release that its classes are the same in.
        releases, _, path = entry.partition("/")
        if "8" in releases and "-" not in releases and path.startswith("java.base/") and path.endswith(".sig"):
            name = path[len("java.base/") : -len(".sig")] + ".class"
            data = bytearray(source.read(entry))
            data[4:8] = (0, 0, 0, 52)  # they have the newer JDK's number, but nothing that Java 8 has not
            target.writestr(name, bytes(data))
