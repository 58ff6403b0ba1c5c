# shellcheck shell=sh
# Variables: none. Stands before `snapshots.sh`, behind `etcdctl.sh`: whose turn it is to take a snapshot.

# The members that may take one, of those that `etcdctl endpoint status --cluster --write-out=fields` tells of: an id a line,
# in an order that is the same on every machine. They vote, are well, and follow the leader `$1`, or are it where nobody
# follows. That the quota is used up is no reason to go without a snapshot. Ids are compared as text: they have 64 bits, and
# awk's numbers 53.
candidates() {
    awk -F ' : ' -v leader="$1" '
        $1 == "\"MemberID\"" { id = $2 "" }
        $1 == "\"Leader\"" { follows = $2 "" }
        $1 == "\"IsLearner\"" { votes = ($2 == "false") }
        $1 == "\"Errors\"" {
            errors = $2
            gsub(/memberID:[0-9]+ alarm:NOSPACE/, "", errors)
            gsub(/[][ ]/, "", errors)
        }
        $1 == "\"Endpoint\"" {
            if (votes && errors == "" && follows == leader "") print (id == leader "" ? "leader" : "follower"), id
            id = follows = errors = ""
            votes = 0
        }
    ' | sort -u | awk '$1 == "follower" { print $2; some = 1 } $1 == "leader" && !some { print $2 }'
}

# Which of the candidates that come from stdin has its turn in the minute `$1`: the hash of the minute says so, so that all
# machines agree and none has to ask another. Nobody, where there are none.
whose_turn() {
    awk -v hash="$(printf '%s' "$1" | sha256sum | cut -c 1-7)" '
        { ids[NR - 1] = $1 }
        END {
            if (!NR) exit
            number = 0
            for (at = 1; at <= length(hash); at++) number = number * 16 + index("0123456789abcdef", substr(hash, at, 1)) - 1
            print ids[number % NR]
        }
    '
}

# What `endpoint status --write-out=fields`, which comes from stdin, says of `$1`.
told() { sed -n "s/^\"$1\" : //p" | tr -d '"' | head -n 1; }

# Sets `why` to the reason why the member on this machine takes none now; to nothing where it has its turn in the minute
# `$1`. Then `member` has what it says of itself.
find_turn() {
    why='this machine has no member of this cluster'
    grep -Fqs -- "\"clusterUid\":\"$uid\"" "$root/etcd-$KEELSON_ETCD.json" || return 0
    why='its member does not answer'
    member=$(etcdctl_at "$KEELSON_ETCD_PORT" --dial-timeout=3s --command-timeout=5s --write-out=fields endpoint status \
        2>/dev/null) || return 0
    id=$(printf '%s\n' "$member" | told MemberID)
    leader=$(printf '%s\n' "$member" | told Leader)
    why='its member knows no leader'
    [ "${leader:-0}" != 0 ] || return 0
    # Members that do not answer are left out, and make it end with a failure.
    all=$(etcdctl_at "$KEELSON_ETCD_PORT" --dial-timeout=3s --command-timeout=5s --write-out=fields endpoint status --cluster \
        2>/dev/null) || :
    turn=$(printf '%s\n' "$all" | candidates "$leader" | whose_turn "$1")
    why='no member that is well answers'
    [ -n "$turn" ] || return 0
    why="it is the turn of the member $(printf '%s\n' "$all" | awk -F ' : ' -v id="$turn" '
        $1 == "\"MemberID\"" { its = ($2 "" == id "") }
        $1 == "\"Endpoint\"" && its { gsub(/"/, "", $2); print $2; exit }')"
    [ "$turn" = "$id" ] || return 0
    why=''
}
