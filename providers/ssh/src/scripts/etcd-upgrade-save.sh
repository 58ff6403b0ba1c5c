# shellcheck shell=sh
# Has the member on this host write a snapshot, and checks it. It has no manifest yet, so nobody takes it for one.
# Stands behind `fence.sh`, `room.sh`, and `etcd-snapshot.sh` with what that needs.
#
# Arguments: what a mark of ours has in it, the etcd cluster, the member's port for clients, the snapshot's name, how
# many KiB must be free.
# Says what `save` says.
# Nothing has been done when it ends with: 20 no mark of ours is there, 24 there is not enough room.
# 40 the snapshot is damaged, 44 the member has died.

ours=$1 cluster=$2 port=$3 name=$4 need=$5
folder=/var/lib/keelson/snapshots
new=$folder/$name.db.new

grep -Fqs -- "$ours" "/var/lib/keelson/etcd-$cluster.json" || exit 20
need_room "$folder" "$need"
mkdir -p -- "$folder"
rm -f -- "$new" "$new.part"
trap 'exit 143' TERM
trap 'rm -f -- "$new.part"; [ -n "${whole:-}" ] || rm -f -- "$new"' EXIT
save "$port" "$new"
whole=yes
