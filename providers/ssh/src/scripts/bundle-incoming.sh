# shellcheck shell=sh
# Folders for secrets on their way in: each run has its own, in memory, and holds a lock on it for as long as the run, or
# the apply script that it started, lives. Stands behind `fence.sh`.

# Takes away what runs left that were killed: nobody holds a lock on it.
remove_abandoned_secrets() {
    for keelson_folder in /run/keelson-incoming.*; do
        [ -d "$keelson_folder" ] || continue
        flock --nonblock -- "$keelson_folder" rm -rf -- "$keelson_folder" || :
    done
}

# Makes this run's own, and sets `incoming` to it. One that was taken for abandoned before it was locked is made again.
make_incoming() {
    while :; do
        incoming=$(mktemp -d /run/keelson-incoming.XXXXXX)
        exec 7<"$incoming"
        flock 7
        [ ! -d "$incoming" ] || return 0
    done
}
