# shellcheck shell=sh
# Reads one object among the snapshots that this host keeps: `NAME/snapshot` or `NAME/manifest.json`.
#
# Arguments: `size`, `read` or `stream`, the object, and for `stream` its size in bytes and how many bytes to leave
# out. Writes the size, or what is in it, and nothing else.
# Ends with: 25 it is not there, 26 it has another size.
set -eu
what=$1 object=/var/lib/keelson/backups/$2

as_large() {
    is=$(stat -c %s -- "$object")
    [ "$is" = "$1" ] && return 0
    echo "it has $is bytes, and had $1" >&2
    exit 26
}

[ -f "$object" ] || exit 25
case $what in
size) stat -c %s -- "$object" ;;
read) head -c 65536 -- "$object" ;;
stream)
    as_large "$3"
    tail -c "+$(($4 + 1))" -- "$object"
    ;;
esac
