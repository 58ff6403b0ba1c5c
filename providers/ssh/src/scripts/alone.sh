# shellcheck shell=sh
# Stands before scripts of which two must never work on a host at the same time. The fence lets in every script of a run, and one
# whose connection was lost may go on still when it is sent again. Stands behind `fence.sh`.

# Waits for at most `$2` seconds until nobody holds the folder `$1`, and holds it until this script has ended and everything that it
# has started. Ends with 76 where that does not come. The folder is the lock of what is done in it: `/var/lib/keelson` of the data,
# marks and aside folders of both etcds' members (`etcd-end.sh`, `etcd-restore.sh`), `assets` in it of uploads (`asset-part.sh`).
alone() {
    exec 6<"$1"
    if ! flock --wait "$2" 6; then
        echo "the same is being done on this machine by a script that does not end" >&2
        exit 76
    fi
}
