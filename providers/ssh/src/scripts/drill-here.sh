# shellcheck shell=sh
# Restores a snapshot for trial on the machine that keelson runs on, as whoever runs it. Stands behind `etcd-live-keys.sh` and
# `drill.sh`.
#
# Arguments: the folder with etcd's programs, the snapshot, a folder that this makes and takes away.
set -eu
umask 077
trap 'exit 143' TERM HUP INT
trap end_drill EXIT
drill "$1" "$2" "$3"
