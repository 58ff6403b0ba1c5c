# shellcheck shell=sh
# Stands before scripts that have the member on this host write a snapshot. Stands behind `etcdctl.sh`,
# `etcd-live-keys.sh` and `sha256.sh`.

# Ends the process `$2` when the member that serves clients at the port `$1` has not answered three times in a row: etcdctl
# waits for one that has died for as long as it is given (the retries of streams in `client/v3/retry_interceptor.go`).
end_with_member() {
    misses=0
    while [ "$misses" -lt 3 ]; do
        sleep 3
        kill -0 "$2" 2>/dev/null || return 0
        if etcdctl_at "$1" --dial-timeout=3s --command-timeout=5s endpoint status; then
            misses=0
        else
            misses=$((misses + 1))
        fi
    done
    kill "$2"
}

# Has the member that serves clients at the port `$1` write a snapshot to the file `$2`, which is on the disk then, and says
# in a line each: `status` with what etcdutl says of it, `sha256`, `size`, and `live`, see `live_keys`. Ends with 40 when it is
# damaged, and with 44 when the member has died meanwhile.
save() {
    # Whoever gives no limit gets none; the session has its own.
    become_etcdctl_at "$1" --dial-timeout=3s --command-timeout=900s snapshot save "$2" >&2 &
    saving=$!
    # It holds nothing that others wait for: neither an output nor a lock.
    end_with_member "$1" "$saving" >/dev/null 2>&1 8>&- 9>&- &
    watching=$!
    saved=0
    wait "$saving" || saved=$?
    kill "$watching" 2>/dev/null || :
    wait "$watching" || :
    # So it was ended.
    if [ "$saved" -eq 143 ]; then
        echo "the member has died while it wrote the snapshot" >&2
        exit 44
    fi
    [ "$saved" -eq 0 ] || exit "$saved"

    # etcd adds the SHA-256 of the database as the last 32 bytes. Both sums at once: of gigabytes each takes seconds.
    size=$(stat -c %s -- "$2")
    told=$(tail -c 32 -- "$2" | od -An -v -tx1 | tr -d ' \n')
    sums=$(
        echo "database $(head -c "$((size - 32))" -- "$2" | sha256)" &
        echo "file $(sha256 <"$2")"
        wait
    )
    is=$(printf '%s\n' "$sums" | sed -n 's/^database //p')
    if [ "$told" != "$is" ]; then
        echo "the SHA-256 of its database is $is, and etcd said $told" >&2
        exit 40
    fi
    status=$(/opt/keelson/bin/etcdutl snapshot status "$2" --write-out=json)
    sync -- "$2"
    echo "status $status"
    echo "sha256 $(printf '%s\n' "$sums" | sed -n 's/^file //p')"
    echo "size $size"
    revision=$(printf '%s' "$status" | sed -n 's/.*"revision":\([0-9]*\).*/\1/p')
    # 0: nobody has written to it, and etcd takes 0 for whatever is newest.
    if [ "${revision:-0}" -gt 0 ]; then
        live_keys "$revision" "$size" etcdctl_at "$1" --dial-timeout=3s --command-timeout=60s
    fi
}
