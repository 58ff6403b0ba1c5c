# shellcheck shell=sh
# Ends the etcd member on this host: stops it, and moves its data aside. A restore deletes nothing, and what it has moved aside
# nobody deletes after it. Of what others have moved aside, another end keeps the last two, and the last that had voted: what a
# learner leaves may be next to nothing.
# Stands behind `fence.sh` and `alone.sh`.
#
# Arguments: what a mark of ours has in it, the etcd cluster, its unit, the folder of its data, what to call the data, the restore
# that ends it, or `-`.
# Nothing has been done when it ends with 20: the mark is someone else's. Without a mark there is nothing to do.

ours=$1 cluster=$2 unit=$3 data=$4 stamp=$5 restore=$6
mark=/var/lib/keelson/etcd-$cluster.json

alone "$keelson_root" 30
[ -f "$mark" ] || exit 0
grep -Fq -- "$ours" "$mark" || exit 20

systemctl disable --quiet --now -- "$unit" 2>/dev/null || systemctl stop -- "$unit"
systemctl reset-failed -- "$unit" 2>/dev/null || :

# Inside of the folder where that is a disk of its own: data is renamed and never copied.
place=$(dirname -- "$data") name=$(basename -- "$data").removed-
if mountpoint -q -- "$data"; then
    place=$data name=removed-
fi
# What was begun before and came to hold nothing: the power went, or somebody has ended it.
for old in "$place/$name"*; do
    if [ -d "$old" ] && [ ! -e "$old/member" ] && { [ ! -s "$old/mark.json" ] || grep -Fq -- "$ours" "$old/mark.json"; }; then
        rm -f -- "$old/kept" "$old/mark.json"
        rmdir -- "$old" 2>/dev/null || :
    fi
done
if [ -e "$data/member" ]; then
    aside=$place/$name$stamp
    mkdir -p -- "$aside"
    # Whose it is, and that it stays, is on the disk before there is data beside it.
    cp -- "$mark" "$aside/mark.json"
    [ "$restore" = - ] || printf '%s\n' "$restore" | cat >"$aside/kept"
    sync -- "$aside"/* "$aside" "$place"
    mv -- "$data/member" "$aside/member"
    sync -- "$aside"
fi
# The mark may lie on another disk: were it gone while the data is in its place still, nobody would know whose that is.
[ ! -d "$data" ] || sync -- "$data"
if [ "$restore" = - ]; then
    voted=""
    find "$place" -mindepth 1 -maxdepth 1 -name "$name*" | sort -r | {
        count=0
        while IFS= read -r old; do
            [ ! -e "$old/kept" ] || continue
            count=$((count + 1))
            if [ -z "$voted" ] && grep -Eqs '"voted": *true' "$old/mark.json"; then
                voted=$old
            elif [ "$count" -gt 2 ] && grep -Fqs -- "$ours" "$old/mark.json"; then
                rm -rf -- "$old"
            fi
        done
    }
fi
rm -f -- "/etc/etcd/$cluster.member.env"
# Its copy on a volume (`etcd-kept.sh`) says nothing any more without data.
kept=/var/lib/keelson/volume/etcd-$cluster.json
if grep -Fqs -- "$ours" "$kept"; then rm -f -- "$kept"; fi
# The mark goes last: whoever comes back to finish this needs it.
rm -f -- "$mark"
