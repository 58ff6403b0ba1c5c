# shellcheck shell=sh
# Writes down that the etcd member on this host has voted. Stands behind `fence.sh`, `write.sh` and `etcd-kept.sh`.
#
# From then on it must never come in by itself again: a disk that comes back empty, or is not mounted, would make a
# member under the old id that has forgotten what it voted for. So its environment names nobody any more that it could
# get the cluster from. etcd looks at this only where it finds no data, and then refuses to start.
#
# Arguments: what a mark of ours has in it, the etcd cluster, the mark, the member itself.
# Nothing has been done when it ends with 20: no mark of ours is there.
umask 022

mark=/var/lib/keelson/etcd-$2.json
grep -Fq -- "$1" "$mark" || exit 20
write "/etc/etcd/$2.member.env" <<END
# This member has its place in its cluster. Without its data it does not start: replace it.
ETCD_INITIAL_CLUSTER=$4
ETCD_INITIAL_CLUSTER_STATE=existing
END
write_mark "$2" "$3"
