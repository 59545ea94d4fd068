# What the test scripts share: counting, giving up, installing, an emulator. To be sourced, from the top of the checkout. The
# script says who it is in `suite`, and where logs may go in `logs`, an existing folder.
# shellcheck shell=sh disable=SC2154 # suite and logs are the script's
passed=0 failed=0

check() { # what command...
    what=$1
    shift
    if "$@" >"$logs/log" 2>&1; then
        echo "ok     $suite: $what"
        passed=$((passed + 1))
    else
        echo "FAILED $suite: $what"
        sed 's/^/       /' "$logs/log" | tail -n 40
        failed=$((failed + 1))
        return 1
    fi
}

give_up() {
    echo "FAILED $suite: $*"
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq "$@"; }

# Installs packages of the distribution, as root; false where that cannot be. Words of apt-get's may come first.
install_packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    { apt_install "$@" || { apt-get update -qq && apt_install "$@"; }; } >"$logs/apt.log" 2>&1
}

# Starts the emulator `$emulator` with its data in `$logs/data`; `$logs/port` says where it listens, `emulator_pid` who it is.
start_emulator() {
    "$emulator" --data "$logs/data" --port 0 --port-file "$logs/port" >"$logs/emulator.log" 2>&1 &
    emulator_pid=$!
    tries=0
    until [ -s "$logs/port" ]; do
        kill -0 "$emulator_pid" 2>/dev/null || give_up "the emulator ended: $(cat "$logs/emulator.log")"
        tries=$((tries + 1))
        [ $tries -le 300 ] || give_up "the emulator does not listen"
        sleep 0.1
    done
}
