# shellcheck shell=sh
# Starts the etcd member that was begun on this host, and does not wait for it. Stands behind `fence.sh`.
#
# Arguments: what a mark of ours has in it, the etcd cluster, its unit.
# Nothing has been done when it ends with 20: no mark of ours is there.

grep -Fq -- "$1" "/var/lib/keelson/etcd-$2.json" || exit 20
systemctl enable --quiet -- "$3"
systemctl start --no-block -- "$3"
