# shellcheck shell=sh
# Takes in a part of a snapshot that is to be restored for trial. Stands behind `etcd-transfer.sh` and `room.sh`.
#
# Arguments: what a mark of ours has in it, the cluster's uid, the etcd cluster, what the snapshot is called here, or `-` for one
# that is to be begun, how much of it must be there already, how many KiB must be free for all of it and what is made of it. The
# part comes by stdin.
# Says `name` with what the snapshot is called, which is nobody else's.
# Ends with 20 when the machine is another cluster's, 23 when it has no etcd, 24 when it has too little room, 25 when the snapshot
# is not there any more, or not so much of it: it has to be sent anew.
ours=$1 uid=$2 cluster=$3 name=$4 from=$5 need=$6

refuse_other_cluster "$uid"
[ -x /opt/keelson/bin/etcdutl ] || exit 23
if [ "$name" = - ]; then
    [ -d "$keelson_snapshots" ] || mkdir -- "$keelson_snapshots" 2>/dev/null || [ -d "$keelson_snapshots" ]
    sweep
    need_room "$keelson_snapshots" "$need"
    folder=$(mktemp -d -- "$keelson_snapshots/$cluster-XXXXXXXXXX.transfer")
    printf '%s\n' "$ours" >"$folder/owner"
    : >"$folder/db"
    name=${folder##*/}
    name=${name%.transfer}
fi
folder=$keelson_snapshots/$name.transfer
[ -f "$folder/db" ] || exit 25
exec 9<"$folder"
flock --exclusive --wait 60 9
[ "$(stat -c %s -- "$folder/db")" = "$from" ] || exit 25
cat >>"$folder/db"
touch -- "$folder"
echo "name $name"
