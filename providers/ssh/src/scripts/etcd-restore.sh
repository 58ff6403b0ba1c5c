# shellcheck shell=sh
# Makes the data of the etcd member on this host of a snapshot that lies among the assets, and writes down whose it is. The
# member is not started. Stands behind `fence.sh`, `alone.sh`, `write.sh`, `etcd-kept.sh`, `room.sh` and `etcdutl.sh`.
#
# Arguments: what a mark of ours has in it, the etcd cluster, its unit, the folder of its data, the member's name, all
# members, the new cluster's token, the mark, the snapshot's SHA-256, by how much revisions go up, how many KiB must be free.
# Nothing has been done when it ends with: 20 the mark of someone else is there, 21 data of which nobody knows whose it
# is, 22 the mark of another incarnation, 23 the programs and units have not come, 24 there is not enough room, 25 the snapshot
# is not there.
umask 022

ours=$1 cluster=$2 unit=$3 data=$4 name=$5 members=$6 token=$7 new=$8 snapshot=/var/lib/keelson/assets/$9
shift 9
bump=$1 need=$2
mark=/var/lib/keelson/etcd-$cluster.json
scratch=$data/restoring

# As long as etcdutl may take for a database of some GiB: whoever waits so long has still the time to begin.
alone "$keelson_root" 600
if [ -f "$mark" ]; then
    grep -Fq -- "$ours" "$mark" || exit 20
    # Once it is started its mark says more, and it has its data.
    grep -Fq -- "$(printf '%s' "$new" | grep -o '"restored":"[^"]*"')" "$mark" || exit 22
    if [ -e "$data/member/wal" ]; then
        # Of a run that was cut off behind this.
        rm -rf -- "$scratch"
        sync -f -- "$data"
        rm -f -- "$snapshot"
        exit 0
    fi
elif [ -e "$data/member" ]; then
    exit 21
fi
[ -x /opt/keelson/bin/etcdutl ] && systemctl cat -- "$unit" >/dev/null 2>&1 || exit 23
[ -f "$snapshot" ] || exit 25
owner=$(systemctl show --property=User --value -- "$unit"):$(systemctl show --property=Group --value -- "$unit")
# Where all data was lost its folder may be too: it becomes what the bundle has made it.
mkdir -p -- "$data"
chmod 0700 -- "$data"
chown -- "$owner" "$data"
if [ -e "$data/member" ]; then
    # The mark is this restore's and there is no log: the data never came to its place, or the power went before it was on the disk.
    # etcd has made its folders anew since.
    systemctl stop -- "$unit"
    systemctl reset-failed -- "$unit" 2>/dev/null || :
    rm -rf -- "$data/member"
fi
rm -rf -- "$scratch"
need_room "$data" "$need"

# What does not come to its end takes no room.
trap 'exit 143' TERM
trap 'rm -rf -- "$scratch"' EXIT
own=$(printf '%s' "$members" | tr ',' '\n' | sed -n "s/^$name=//p")
/opt/keelson/bin/etcdutl snapshot restore "$snapshot" --data-dir="$scratch" --name="$name" --initial-cluster="$members" \
    --initial-cluster-token="$token" --initial-advertise-peer-urls="$own" --bump-revision="$bump" --mark-compacted >&2 ||
    end_as_etcdutl $?
chown -R -- "$owner" "$scratch"
sync -f -- "$scratch"

# The mark comes before there is data in its place, which is never touched again without one.
mkdir -p -- /etc/etcd
write "/etc/etcd/$cluster.member.env" <<END
# This member was given its data by a restore. Without it, it does not start: replace it.
# It names nobody that it could get the cluster from, as where a member has voted.
ETCD_INITIAL_CLUSTER=$name=$own
ETCD_INITIAL_CLUSTER_STATE=existing
END
write_mark "$cluster" "$new"
mv -- "$scratch/member" "$data/member"
# Before the snapshot goes, which it could be made of again.
sync -f -- "$data"
rm -f -- "$snapshot"
