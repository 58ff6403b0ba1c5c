# shellcheck shell=sh
# Stands before scripts that have the member on this host write a snapshot. Stands behind `etcdctl.sh`.

# Ends with 24 where fewer than `$2` KiB are free on the disk of the folder `$1`.
need_room() {
    free=$(df -Pk -- "$(dirname -- "$1")" | awk 'END { print $4 }')
    if [ "$free" -lt "$2" ]; then
        echo "$free KiB are free on the disk of $1, $2 are needed" >&2
        exit 24
    fi
}

# Has the member that serves clients at the port `$1` write a snapshot to the file `$2`, which is on the disk then, and says
# in a line each: `status` with what etcdutl says of it, `sha256`, `size`. Ends with 40 when it is damaged.
save() {
    # Whoever gives no limit gets none; the session has its own.
    etcdctl_at "$1" --dial-timeout=3s --command-timeout=900s snapshot save "$2" >&2

    # etcd adds the SHA-256 of the database as the last 32 bytes.
    size=$(stat -c %s -- "$2")
    told=$(tail -c 32 -- "$2" | od -An -v -tx1 | tr -d ' \n')
    is=$(head -c "$((size - 32))" -- "$2" | sha256sum | cut -d ' ' -f 1)
    if [ "$told" != "$is" ]; then
        echo "the SHA-256 of its database is $is, and etcd said $told" >&2
        exit 40
    fi
    status=$(/opt/keelson/bin/etcdutl snapshot status "$2" --write-out=json)
    sync -- "$2"
    echo "status $status"
    echo "sha256 $(sha256sum -- "$2" | cut -d ' ' -f 1)"
    echo "size $size"
}
