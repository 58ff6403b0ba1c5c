# shellcheck shell=sh
# Stands before scripts that count what a member serves.

# Says `live` with how many keys there are at the revision `$1`, and with the hash of their history where the database, of `$2`
# bytes, has at most 2 GiB: as long as a member reads its history it writes nothing. What follows is a command that asks the
# member. Nothing is said where that revision is compacted already.
live_keys() {
    live_revision=$1 live_bytes=$2
    shift 2
    live_count=$("$@" get '' --prefix --count-only --rev="$live_revision" --write-out=fields |
        sed -n 's/^"Count" : \([0-9]*\)$/\1/p')
    [ -n "$live_count" ] || return 0
    live_hash=
    if [ "$live_bytes" -le 2147483648 ]; then
        live_hash=$("$@" endpoint hashkv --rev="$live_revision" --write-out=json |
            sed -n 's/.*"hash":\([0-9]*\),"compact_revision":\(-\{0,1\}[0-9]*\).*/,"history":{"hash":\1,"compactRevision":\2}/p')
    fi
    echo "live {\"keys\":$live_count$live_hash}"
}
