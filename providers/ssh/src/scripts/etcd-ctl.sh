# shellcheck shell=sh
# Asks something of the etcd member on this host, or of its cluster through it. Stands behind `fence.sh` and `etcdctl.sh`.
#
# Arguments: the member's port for clients, then what etcdctl is to do.

port=$1
shift
etcdctl_at "$port" --dial-timeout=3s --command-timeout=10s --write-out=json "$@"
