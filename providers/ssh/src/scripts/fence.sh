# shellcheck shell=sh
# Comes before every script that changes something: lets nobody in whose lease is over.
#   $1 the fencing generation of the run; $2 the uid of its cluster
# Ends with 75 when the host has seen a higher generation of the cluster, with 77 when it belongs to another cluster, with
# 76 when scripts of the runs before go on for too long, or have released the host while this one waited. The lock is
# held, shared, until the script ends: a run with a higher generation comes in when the scripts of those before it have
# ended.
set -eu
umask 077
keelson_generation=$1
keelson_uid=$2
shift 2
keelson_root=/var/lib/keelson

keelson_lock() {
    mkdir -p -- "$keelson_root"
    exec 8>>"$keelson_root/fence.lock"
    if ! flock "$1" --wait 60 8; then
        echo "another script of keelson runs on this machine and does not end" >&2
        exit 76
    fi
    [ "$(stat -Lc %i /dev/fd/8)" != "$(stat -c %i -- "$keelson_root/fence.lock" 2>/dev/null || :)" ] || return 0
    # Who released the host took the file away, and with it the generation that tells whether this run may still do
    # anything. Whoever sent this script has to see first whether its lease is still its own.
    echo "this machine was released while a script waited for it" >&2
    exit 76
}

# Sets `keelson_verdict` to same, lower or higher: what the host has seen, compared with this run.
keelson_compare() {
    if [ -f "$keelson_root/host.json" ]; then
        keelson_owner=$(sed -n '1s/^{"uid":"\([^"]*\)".*/\1/p' "$keelson_root/host.json")
        if [ "$keelson_owner" != "$keelson_uid" ]; then
            echo "this machine belongs to another cluster, uid ${keelson_owner:-unknown}" >&2
            exit 77
        fi
    fi
    keelson_seen=0
    keelson_seen_uid=
    [ ! -f "$keelson_root/fence" ] || read -r keelson_seen keelson_seen_uid <"$keelson_root/fence" || :
    case $keelson_seen in
    '' | *[!0-9]*) keelson_seen=0 keelson_seen_uid= ;;
    esac
    if [ "$keelson_seen_uid" != "$keelson_uid" ]; then
        keelson_verdict=lower
    elif [ "$keelson_seen" -gt "$keelson_generation" ]; then
        echo "a later run of keelson, generation $keelson_seen, has been on this machine" >&2
        exit 75
    elif [ "$keelson_seen" -eq "$keelson_generation" ]; then
        keelson_verdict=same
    else
        keelson_verdict=lower
    fi
}

while :; do
    keelson_lock --shared
    keelson_compare
    [ "$keelson_verdict" != same ] || break
    keelson_lock --exclusive
    keelson_compare
    if [ "$keelson_verdict" != same ]; then
        # Written by a program that says why it cannot: a shell's own printf knows only that it failed.
        printf '%s %s\n' "$keelson_generation" "$keelson_uid" | cat >"$keelson_root/fence.new"
        sync -- "$keelson_root/fence.new"
        mv -f -- "$keelson_root/fence.new" "$keelson_root/fence"
        sync -- "$keelson_root"
    fi
done
