# shellcheck shell=sh
# Looks whether this host has what it takes to give its etcd member data. It changes nothing. Stands behind `fence.sh` and
# `room.sh`.
#
# Arguments: the etcd cluster, its unit, the folder of its data, the restore's id, how many KiB must be free for the data, the
# snapshot's SHA-256, how many KiB it has.
# Ends with 23 when the programs and units have not come, 24 when there is not enough room.

cluster=$1 unit=$2 data=$3 id=$4 need=$5 snapshot=/var/lib/keelson/assets/$6 size=$7

[ -x /opt/keelson/bin/etcdutl ] && systemctl cat -- "$unit" >/dev/null 2>&1 || exit 23
# Where this restore goes on, the data may be there.
if grep -Fqs -- "\"restored\":\"$id\"" "/var/lib/keelson/etcd-$cluster.json"; then
    exit 0
fi
# The snapshot is carried here first, where it is not there yet.
if [ ! -f "$snapshot" ]; then
    need_room /var/lib/keelson "$size"
    there=$data
    [ -d "$there" ] || there=$(dirname -- "$there")
    [ "$(stat -c %d -- "$there")" != "$(stat -c %d -- /var/lib/keelson)" ] || need=$((need + size))
fi
need_room "$data" "$need"
