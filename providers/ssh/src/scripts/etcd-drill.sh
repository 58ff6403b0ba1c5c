# shellcheck shell=sh
# Restores a snapshot for trial that has come to this host, and takes everything away again. Stands behind `etcd-transfer.sh`,
# `room.sh`, `sha256.sh`, `etcd-live-keys.sh` and `drill.sh`.
#
# Arguments: what a mark of ours has in it, the cluster's uid, what the snapshot is called here, its SHA-256, how many KiB must
# be free beside it.
# Says what `drill` says. Nothing is left when it has ended, whatever with: 20 the machine or the snapshot is another cluster's, 24
# there is not enough room, 25 the snapshot is not there, 40 it was damaged on the way, and those of `drill`.
ours=$1 uid=$2 folder=$keelson_snapshots/$3.transfer sha256=$4 need=$5

refuse_other_cluster "$uid"
[ -f "$folder/db" ] || exit 25
exec 9<"$folder"
flock --exclusive --nonblock 9 || exit 25
grep -Fqs -- "$ours" "$folder/owner" || exit 20
trap 'exit 143' TERM HUP INT
trap 'end_drill; take_away "$folder"' EXIT
if [ "$(sha256 <"$folder/db")" != "$sha256" ]; then
    echo "its SHA-256 is not $sha256" >&2
    exit 40
fi
need_room "$folder" "$need"
drill /opt/keelson/bin "$folder/db" "$folder/drill"
