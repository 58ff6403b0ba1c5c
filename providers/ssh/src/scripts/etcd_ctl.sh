#!/bin/sh
# Asks something of the etcd member on this host, or of its cluster through it.
#
# Arguments: the member's port for clients, then what etcdctl is to do.
set -eu
export LC_ALL=C ETCDCTL_API=3
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

port=$1
shift
exec /opt/keelson/bin/etcdctl --endpoints="https://127.0.0.1:$port" --cacert=/etc/etcd/pki/ca.crt \
    --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key \
    --dial-timeout=3s --command-timeout=10s --write-out=json "$@"
