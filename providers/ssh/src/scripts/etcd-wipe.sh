# shellcheck shell=sh
# Takes everything away that the etcd members of one cluster have on this host, data and snapshots too, those that were taken
# by a schedule among them. What belongs to someone else, or to nobody knows whom, stays.
#
# Arguments: what a mark of ours has in it, then for each etcd cluster: its name, its unit, the folder of its data, the timer of
# its snapshots, the unit that takes them.
set -eu

ours=$1
shift

# No snapshot is taken of what goes. Whoever changes the cluster holds the fence: no apply starts the timer meanwhile.
stop_snapshots() {
    systemctl disable --quiet --now -- "$timer" 2>/dev/null || systemctl stop -- "$timer" 2>/dev/null || :
    systemctl stop -- "$snapshots" 2>/dev/null || :
}

# Takes away the copy of the mark beside data on a volume (`etcd-kept.sh`).
forget_kept() {
    kept=/var/lib/keelson/volume/etcd-$cluster.json
    if grep -Fqs -- "$ours" "$kept"; then rm -f -- "$kept"; fi
}

wipe_member() {
    mark=/var/lib/keelson/etcd-$cluster.json
    if [ -f "$mark" ] && grep -Fq -- "$ours" "$mark"; then
        systemctl disable --quiet --now -- "$unit" 2>/dev/null || systemctl stop -- "$unit" 2>/dev/null || :
        systemctl reset-failed -- "$unit" 2>/dev/null || :
        rm -rf -- "$data/member" "/etc/etcd/$cluster.member.env"
        forget_kept
        rm -f -- "$mark"
    elif [ ! -e "$mark" ] && [ ! -e "$data/member" ]; then
        # What was begun and did not come as far as its mark.
        rm -f -- "/etc/etcd/$cluster.member.env"
        forget_kept
    fi
    # What a restore was making of a snapshot when it ended: all that a database has.
    if [ ! -e "$mark" ]; then
        rm -rf -- "$data/restoring"
    fi
    for old in "$data".removed-* "$data"/removed-*; do
        [ -d "$old" ] || continue
        if grep -Fqs -- "$ours" "$old/mark.json"; then
            rm -rf -- "$old"
        elif [ ! -e "$old/member" ] && [ ! -s "$old/mark.json" ]; then
            # It was cut off before it said whose it is. What somebody else has put there stays.
            rm -f -- "$old/kept" "$old/mark.json"
            rmdir -- "$old" 2>/dev/null || :
        fi
    done
}

while [ $# -ge 5 ]; do
    cluster=$1 unit=$2 data=$3 timer=$4 snapshots=$5
    shift 5
    stop_snapshots
    wipe_member
done
for manifest in /var/lib/keelson/snapshots/*.json; do
    if grep -Fqs -- "$ours" "$manifest"; then
        rm -f -- "${manifest%.json}.db" "$manifest"
    fi
done
for transfer in /var/lib/keelson/snapshots/*.transfer; do
    # One that says nothing of its owner was cut off before it held anything.
    if [ -d "$transfer" ] && { [ ! -s "$transfer/owner" ] || grep -Fqs -- "$ours" "$transfer/owner"; }; then
        rm -rf -- "$transfer"
    fi
done
rm -rf -- /var/lib/keelson/backups/.new
for manifest in /var/lib/keelson/backups/*/manifest.json; do
    if grep -Fqs -- "$ours" "$manifest"; then
        rm -rf -- "${manifest%/*}"
    fi
done
rmdir -- /var/lib/keelson/backups 2>/dev/null || :
rmdir -- /var/lib/keelson/snapshots 2>/dev/null || :
