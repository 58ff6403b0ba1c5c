# shellcheck shell=sh
# Writes a snapshot to stdout, from some byte of it on, and nothing else. Stands behind `etcd-transfer.sh`.
#
# Arguments: what a mark of ours has in it, the cluster's uid, the snapshot's name, its size in bytes, how many bytes to
# leave out.
# Ends with: 20 the machine or the snapshot is another cluster's, 25 it is not there, or is being taken away, 26 it has
# another size.

ours=$1 uid=$2 folder=$keelson_snapshots/$3.transfer size=$4 from=$5

refuse_other_cluster "$uid"
[ -d "$folder" ] || exit 25
# A shell whose own redirection fails ends.
exec 9<"$folder"
flock --shared --nonblock 9 || exit 25
[ -f "$folder/db" ] || exit 25
if ! grep -Fqs -- "$ours" "$folder/owner"; then
    echo "the snapshot is another cluster's" >&2
    exit 20
fi

as_large() {
    is=$(stat -c %s -- "$folder/db")
    [ "$is" = "$size" ] && return 0
    echo "it has $is bytes, and had $size" >&2
    exit 26
}

touch -c -- "$folder"
as_large
tail -c "+$((from + 1))" -- "$folder/db"
as_large
touch -c -- "$folder"
