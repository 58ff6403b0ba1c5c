# shellcheck shell=sh
# Stands before scripts about snapshots that are on their way from this host to somewhere else.
#
# Each is a folder, /var/lib/keelson/snapshots/NAME.transfer, with the file `db` and the file `owner`, which has in it what
# marks of its cluster have. The folder is locked while somebody writes or reads it, and its time is when somebody did so
# last. These scripts change nothing of the cluster, so that they are not fenced.
set -eu
umask 077
keelson_root=/var/lib/keelson
keelson_snapshots=$keelson_root/snapshots

# Ends with 20 where the host bears the mark of another cluster than the one with the uid `$1`.
refuse_other_cluster() {
    [ -f "$keelson_root/host.json" ] || return 0
    keelson_owner=$(sed -n '1s/^{"uid":"\([^"]*\)".*/\1/p' "$keelson_root/host.json")
    if [ "$keelson_owner" != "$1" ]; then
        echo "this machine belongs to another cluster, uid ${keelson_owner:-unknown}" >&2
        exit 20
    fi
}

# Takes the folder `$1` away, its owner last: what is left when this is interrupted is known to be ours.
take_away() {
    rm -rf -- "$1/drill"
    rm -f -- "$1/db" "$1/db.part"
    rm -f -- "$1/owner"
    rmdir -- "$1"
}

# Whoever reads on after a lost connection, or a power cut, is back long before.
forgotten() { [ -n "$(find "$1" -maxdepth 0 -mmin +15)" ]; }

# Takes away what others have left here who were killed; $ours is what a mark of ours has in it. In a shell of its own for each,
# so that its lock ends with it.
sweep_one() (
    exec 9<"$1"
    flock --exclusive --nonblock 9 || exit 0
    forgotten "$1" || exit 0
    # Without a database it was begun, and nothing more, when the power went.
    if [ ! -e "$1/db" ] || grep -Fqs -- "$ours" "$1/owner"; then
        take_away "$1"
    fi
)

sweep() {
    for old in "$keelson_snapshots"/*.transfer; do
        [ -d "$old" ] || continue
        sweep_one "$old" || echo "$old cannot be taken away" >&2
    done
}
