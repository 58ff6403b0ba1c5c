# shellcheck shell=sh
# Takes a snapshot away that has come to this host and is not restored. Stands behind `fence.sh`.
#
# Arguments: the snapshot's SHA-256.

rm -f -- "$keelson_root/assets/$1" "$keelson_root/assets/$1.upload"
