# shellcheck shell=sh
# Has etcd tell what a snapshot holds that has come to this host. It changes nothing. Stands behind `fence.sh`.
#
# Arguments: the snapshot's SHA-256.
# Says `version` with the release of etcdutl, and `status` with what it says of the snapshot.
# Ends with 25 when the snapshot is not there, with 40 when etcdutl finds it damaged.

snapshot=$keelson_root/assets/$1

[ -f "$snapshot" ] || exit 25
echo "version $(/opt/keelson/bin/etcdutl version | sed -n 's/^etcdutl version: *//p')"
status=$(/opt/keelson/bin/etcdutl snapshot status "$snapshot" --write-out=json) || exit 40
echo "status $status"
