# shellcheck shell=sh
# Stands before scripts that ask something of etcd.

# Asks the member on this host that serves clients at the port `$1`; what follows is etcdctl's.
etcdctl_at() { (become_etcdctl_at "$@"); }

# The same in place of the shell that calls it, so that whoever ends that ends etcdctl.
become_etcdctl_at() {
    keelson_port=$1
    shift
    export ETCDCTL_API=3
    exec /opt/keelson/bin/etcdctl --endpoints="https://127.0.0.1:$keelson_port" --cacert=/etc/etcd/pki/ca.crt \
        --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key "$@"
}
