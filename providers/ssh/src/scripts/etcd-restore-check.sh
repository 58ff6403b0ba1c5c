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

# How many KiB `$1` takes, where it is there.
taken() {
    kib=$(du -sk -- "$1" 2>/dev/null | cut -f 1)
    echo "${kib:-0}"
}

# What is left of `$1` KiB when `$2` of them are there already.
beside() { echo "$(($1 > $2 ? $1 - $2 : 0))"; }

# What was made of it when the power went is taken away before it is made again.
need=$(beside "$need" "$(taken "$data/restoring")")
# The snapshot is carried here first, where it is not there yet; what has come of it stays.
if [ ! -f "$snapshot" ]; then
    size=$(beside "$size" "$(taken "$snapshot.upload")")
    if [ "$(stat -c %d -- "$(there_of "$data")")" = "$(stat -c %d -- /var/lib/keelson)" ]; then
        need=$((need + size))
    else
        need_room /var/lib/keelson "$size"
    fi
fi
need_room "$data" "$need"
