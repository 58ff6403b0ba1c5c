# shellcheck shell=sh
# Begins an etcd member on this host: says who it is, how it comes into its cluster, and starts it. It does not wait for
# it, because a founder is not ready before its fellows are there. Stands behind `fence.sh`, `write.sh` and `etcd-kept.sh`.
#
# Arguments: what a mark of ours has in it, the etcd cluster, its unit, the folder of its data, the members, `new` or
# `existing`, the cluster's token, the mark.
# Nothing has been done when it ends with: 20 the mark of someone else is there, 21 data of which nobody knows whose it
# is, 22 the mark of another incarnation, 23 the programs and units have not come.
umask 022

ours=$1 cluster=$2 unit=$3 data=$4 members=$5 state=$6 token=$7 new=$8
mark=/var/lib/keelson/etcd-$cluster.json

if [ -f "$mark" ]; then
    grep -Fq -- "$ours" "$mark" || exit 20
    printf '%s\n' "$new" | cmp -s -- - "$mark" || exit 22
elif [ -e "$data/member" ]; then
    exit 21
fi
[ -x /opt/keelson/bin/etcd ] && systemctl cat -- "$unit" >/dev/null 2>&1 || exit 23

# The mark comes before there is data, which is never touched again without one; and after all that the unit needs: where
# our mark is, the member is only started.
mkdir -p -- /etc/etcd
write "/etc/etcd/$cluster.member.env" <<END
# How this member came into its cluster; etcd reads it at its first start only.
ETCD_INITIAL_CLUSTER=$members
ETCD_INITIAL_CLUSTER_STATE=$state
ETCD_INITIAL_CLUSTER_TOKEN=$token
END
write_mark "$cluster" "$new"
systemctl enable --quiet -- "$unit"
systemctl start --no-block -- "$unit"
