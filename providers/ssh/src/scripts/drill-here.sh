# shellcheck shell=sh
# Restores a snapshot for trial on the machine that keelson runs on, as whoever runs it. Stands behind `etcd-live-keys.sh` and
# `drill.sh`.
#
# Arguments: the folder with etcd's programs, the snapshot, a folder that this makes and takes away.
# It ends when its standard input does.
set -eu
umask 077
trap 'exit 143' TERM HUP INT
exec 3<&0
{
    cat >/dev/null
    kill "$$"
} <&3 3<&- >/dev/null 2>&1 &
watcher=$!
trap 'kill "$watcher" 2>/dev/null || :; end_drill' EXIT
drill "$1" "$2" "$3" 3<&- </dev/null
