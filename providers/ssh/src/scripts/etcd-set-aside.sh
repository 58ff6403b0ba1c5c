# shellcheck shell=sh
# Says what restores have moved aside of the etcd member on this host. It changes nothing. Stands behind `fence.sh`.
#
# Arguments: what a mark of ours has in it, the folder of its data.
# A line each, the oldest first: `aside`, how many KiB it takes, and its folder.

for old in "$2".removed-* "$2"/removed-*; do
    if [ -e "$old/kept" ] && [ -e "$old/member" ] && grep -Fqs -- "$1" "$old/mark.json"; then
        echo "aside $(du -sk -- "$old" | cut -f 1) $old"
    fi
done
