# shellcheck shell=sh
# Has the member on this host write a snapshot that is to be read from elsewhere, and checks it. What others have left, who
# were killed, is taken away first. Stands behind `etcd-transfer.sh`, `room.sh`, and
# `etcd-snapshot.sh` with what that needs.
#
# Arguments: what a mark of ours has in it, the cluster's uid, the etcd cluster, the member's port for clients, how many KiB
# must be free.
# Says `name` with the snapshot's name, which is nobody else's, and then what `save` says.
# Nothing is left when it ends with: 20 no mark of ours is there, 24 there is not enough room, 40 the snapshot is damaged,
# 44 the member has died.

ours=$1 uid=$2 cluster=$3 port=$4 need=$5

refuse_other_cluster "$uid"
if ! grep -Fqs -- "$ours" "$keelson_root/etcd-$cluster.json"; then
    echo "this machine bears no mark of the cluster's etcd $cluster" >&2
    exit 20
fi
# Without -p: what a host that was released has lost is not made again.
[ -d "$keelson_snapshots" ] || mkdir -- "$keelson_snapshots" 2>/dev/null || [ -d "$keelson_snapshots" ]
sweep
need_room "$keelson_snapshots" "$need"

folder=$(mktemp -d -- "$keelson_snapshots/$cluster-XXXXXXXXXX.transfer")
trap 'exit 143' TERM
trap '[ -n "${whole:-}" ] || take_away "$folder"' EXIT
exec 9<"$folder"
flock --exclusive --nonblock 9
printf '%s\n' "$ours" >"$folder/owner"
sync -- "$folder/owner" "$folder" "$keelson_snapshots"
name=${folder##*/}
echo "name ${name%.transfer}"
save "$port" "$folder/db"
sync -- "$folder"
whole=yes
