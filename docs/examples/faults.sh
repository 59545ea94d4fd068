#!/bin/sh
# A test against the emulator in plain shell: it loses a reply, and the upload has to come through all the same.
# Needs cosslice-emulator and cosslice-put in $BIN, and curl.
set -eu
BIN=${BIN:-build/bin}
work=$(mktemp -d)
emulator=
trap '[ -z "$emulator" ] || kill "$emulator"; rm -rf "$work"' EXIT

# Start it on a port of its choice, and wait until it says that it listens.
"$BIN/cosslice-emulator" --data "$work/data" --port-file "$work/port" >"$work/log" &
emulator=$!
for _ in $(seq 300); do
    [ -s "$work/port" ] && break
    sleep 0.1
done
server=http://127.0.0.1:$(cat "$work/port")
export COSSLICE_ENDPOINT="$server/files/v2" COSSLICE_APP_ID=1250000000
export COSSLICE_SECRET_ID=AKIDEXAMPLE COSSLICE_SECRET_KEY=examplesecretkey

# Break the third slice: it is stored, but its reply never comes.
curl --noproxy '*' -fsS "$server/_emulator/faults" -d '[{"op": "upload_slice_data", "nth": 3, "do": "drop_after_commit"}]'
curl --noproxy '*' -fsS "$server/_emulator/record" -d '{"on": true}'
head -c 5000000 /dev/urandom >"$work/file"
"$BIN/cosslice-put" "$work/file" bkt/file

# Look: the object is what was sent, and the fault did strike.
curl --noproxy '*' -fsS "$server/1250000000/bkt/file" | cmp - "$work/file"
curl --noproxy '*' -fsS "$server/_emulator/faults" | grep -q '"used": *1'
curl --noproxy '*' -fsS "$server/_emulator/requests" | grep -o '"op": *"[a-z_]*"' | sort | uniq -c
