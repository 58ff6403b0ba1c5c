# shellcheck shell=sh
# Deletes a snapshot that was on its way. Doing it twice is doing it once. Stands behind `etcd-transfer.sh`.
#
# Arguments: what a mark of ours has in it, the cluster's uid, the snapshot's name.
# Ends with 20 when the machine or the snapshot is another cluster's.

ours=$1 uid=$2 folder=$keelson_snapshots/$3.transfer

refuse_other_cluster "$uid"
[ -d "$folder" ] || exit 0
if [ -e "$folder/db" ] && ! grep -Fqs -- "$ours" "$folder/owner"; then
    echo "the snapshot is another cluster's" >&2
    exit 20
fi
take_away "$folder"
