# shellcheck shell=sh
# Variables: none. The members of etcd whose data has come with the volume: the machine before had them, and this one takes them up
# as they are, so that nobody has to remove them from their clusters and let them join anew. A copy of each member's mark lies beside
# its data (`etcd-kept.sh` in `providers/ssh/src/scripts/`): by that the data is known to be this machine's.
# shellcheck disable=SC2154 # they are set by the settings

# True where the mark in the file `$1` is of this machine in this cluster.
is_own_mark() { grep -Fq -- "\"clusterUid\":\"$uid\"" "$1" && grep -Fq -- "\"machine\":\"$name\"" "$1"; }

# The mark in the file `$1` as that of a member which lives on this machine.
mark_for_here() { sed 's/"hostId":"[^"]*",//; s/^{/{"hostId":"'"${instance##*/}"'",/' "$1"; }

# Says how the member of the etcd `$1` came into its cluster: it has its place there. etcd reads this only where it finds no data, and
# then refuses to start, as `etcd-mark.sh` has it.
write_member_settings() {
    host=$(sed -n 's/^KEELSON_HOST_URL_ADDRESS="\{0,1\}\([^"]*\).*/\1/p' /etc/keelson/host.env)
    [ -d /etc/etcd ] || mkdir -m 755 -- /etc/etcd
    write_file "/etc/etcd/$1.member.env" 644 <<END
# This member has its place in its cluster. Without its data it does not start: replace it.
ETCD_INITIAL_CLUSTER=$name=https://$host:$2
ETCD_INITIAL_CLUSTER_STATE=existing
END
    sync -- /etc/etcd
}

# Takes up the member of the etcd `$1`, whose port for its fellows is `$2`, with the data in `$3`. The mark comes last before it is
# started, as in `etcd-begin.sh`: what bears one has all that its unit needs.
take_up_member() {
    kept=$volume/etcd-$1.json
    member_mark=$state/etcd-$1.json
    [ -f "$kept" ] && [ -e "$3/member" ] || return 0
    is_own_mark "$kept" ||
        fail "the volume has data of etcd $1 that is not of $name in this cluster, and it is left as it is: $(head -c 400 -- "$kept")"
    mark_for_here "$kept" >"$scratch/mark"
    if [ ! -f "$member_mark" ]; then
        if [ ! -e "$3/member/wal" ]; then
            # etcd makes its folders before its log: a member that has not voted has lost nothing with them.
            if ! grep -Fq '"voted":true' "$kept"; then rm -rf -- "$3/member"; fi
            return 0
        fi
        write_member_settings "$1" "$2"
        write_file "$member_mark" 644 <"$scratch/mark"
        sync -- "$state"
    fi
    # Where it says more by now, keelson has come over SSH, and it is no more this one's to start.
    cmp -s -- "$scratch/mark" "$member_mark" || return 0
    say "start etcd $1 with the data that the machine before had"
    systemctl enable --quiet -- "${3##*/}.service"
    systemctl start --no-block -- "${3##*/}.service"
}

take_up_members() {
    [ -n "$volume_devices" ] || return 0
    hold_fence
    for etcd in $etcds; do
        rest=${etcd#*:}
        take_up_member "${etcd%%:*}" "${rest%%:*}" "${rest#*:}"
    done
}
