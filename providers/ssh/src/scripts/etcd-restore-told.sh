# shellcheck shell=sh
# Has etcd tell what a snapshot holds that has come to this host. It changes nothing. Stands behind `fence.sh`.
#
# Arguments: the snapshot's SHA-256.
# Says `version` with the release of etcdutl, and `status` with what it says of the snapshot.
# Ends with 25 when the snapshot is not there, and says `there` with how many bytes of it are; with 40 when etcdutl finds it
# damaged.

snapshot=$keelson_root/assets/$1

if [ ! -f "$snapshot" ]; then
    echo "there $(stat -c %s -- "$snapshot.upload" 2>/dev/null || echo 0)"
    exit 25
fi
echo "version $(/opt/keelson/bin/etcdutl version | sed -n 's/^etcdutl version: *//p')"
status=$(/opt/keelson/bin/etcdutl snapshot status "$snapshot" --write-out=json) || exit 40
echo "status $status"
