# shellcheck shell=sh
# Has the member on this host give the space back that its database does not use. It answers nobody meanwhile.
# Stands behind `fence.sh`, `etcdctl.sh` and `room.sh`.
#
# Arguments: what a mark of ours has in it, the etcd cluster, the member's port for clients, the folder of its data, how many
# KiB must be free, for how many seconds at most.
# Says in a line each: `before` and `after` with what the member says of itself.
# Nothing has been done when it ends with: 20 no mark of ours is there, 24 there is not enough room.

ours=$1 cluster=$2 port=$3 data=$4 need=$5 seconds=$6

grep -Fqs -- "$ours" "/var/lib/keelson/etcd-$cluster.json" || exit 20
# etcd writes the new database beside the old one.
need_room "$data/member" "$need"

status() { etcdctl_at "$port" --dial-timeout=3s --command-timeout=10s --write-out=json endpoint status; }

before=$(status)
echo "before $(printf '%s' "$before" | tr '\n' ' ')"
etcdctl_at "$port" --dial-timeout=3s --command-timeout="${seconds}s" defrag >&2
after=$(status)
echo "after $(printf '%s' "$after" | tr '\n' ' ')"
