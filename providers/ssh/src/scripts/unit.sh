# shellcheck shell=sh
# Stands before scripts that look after units.

# Starts `$1`, or ends with its last words.
start_unit() {
    # Whatever it leaves running does not keep the fence (`fence.sh`).
    if systemctl start -- "$1" 8>&-; then return 0; fi
    words=$(journalctl --unit "$1" --lines 3 --no-pager --output cat 2>/dev/null | tr '\n' ' ')
    printf '%s does not start: %s\n' "$1" "$words" >&2
    exit 1
}

# Says for how many milliseconds `$1` has been up.
up_ms() {
    since=$(systemctl show --property=ActiveEnterTimestampMonotonic --value -- "$1")
    now=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
    printf '%d\n' "$((now - ${since:-0} / 1000))"
}
