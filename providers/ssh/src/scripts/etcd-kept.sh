# shellcheck shell=sh
# Stands before scripts that write marks of members, behind `write.sh`.
#
# Where the data lies on a volume that outlives the machine, a copy of the mark lies beside it: by that the next machine knows
# whose the data is, and takes the member up as it is (templates/first-boot/members.sh).

# Writes down `$2`, the mark of the member of the etcd cluster `$1`. The copy comes first: what the mark says is known on the next
# machine, too, and who finds a mark has nothing more to write down.
write_mark() {
    if mountpoint -q -- /var/lib/keelson/volume; then
        printf '%s\n' "$2" | write "/var/lib/keelson/volume/etcd-$1.json"
    fi
    printf '%s\n' "$2" | write "/var/lib/keelson/etcd-$1.json"
}
