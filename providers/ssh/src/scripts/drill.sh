# shellcheck shell=sh
# Restores a snapshot for trial. Stands behind `etcd-live-keys.sh`, before what says where.

# Ends the member and takes its folder away; for a trap.
end_drill() {
    [ -n "${drill_scratch:-}" ] || return 0
    if [ -n "${drill_member:-}" ]; then
        kill "$drill_member" 2>/dev/null || :
        wait "$drill_member" 2>/dev/null || :
    fi
    rm -rf -- "$drill_scratch"
}

ask_drill() {
    env -i PATH="$PATH" "$drill_programs/etcdctl" --endpoints="unix://$drill_scratch/client" --dial-timeout=5s \
        --command-timeout="${drill_patience:-120s}" "$@"
}

# Starts the member in place of the shell that calls it. It listens on sockets in its folder alone, and nothing of the caller's
# environment speaks to it. It may be torn, so that it waits for no disk; where memory is short it is the first to go.
become_drill() {
    { echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null || :
    exec env -i PATH="$PATH" timeout --kill-after=5 1500 nice -n 19 "$drill_programs/etcd" --name=drill \
        --data-dir="$drill_scratch/data" --listen-client-urls="unix://$drill_scratch/client" \
        --listen-peer-urls="unix://$drill_scratch/peer" --advertise-client-urls="$drill_place" \
        --initial-advertise-peer-urls="$drill_place" --initial-cluster="drill=$drill_place" --unsafe-no-fsync \
        --quota-backend-bytes=214748364800 --log-level=warn
}

# Waits until the member serves, at most ten minutes: a large database is read to its end first.
await_drill() {
    drill_deadline=$(($(date +%s) + 600)) drill_patience=5s
    until ask_drill get '' --prefix --limit=1 --keys-only >/dev/null 2>&1; do
        if [ "$(date +%s)" -gt "$drill_deadline" ] || ! kill -0 "$drill_member" 2>/dev/null; then
            echo "the member does not come to serve: $(tail -n 3 -- "$drill_scratch/log" | cut -c 1-300)" >&2
            exit 42
        fi
        sleep 1
    done
    drill_patience=120s
}

# Gives the snapshot in the file `$2` to a member of its own in the folder `$3`, which this makes, with the programs in the folder
# `$1`, and says in a line each: `status` with what etcdutl says of the file, `member` with what the member says of itself, and
# `live`, see `live_keys`. Ends with 41 when etcd does not take the snapshot, 42 when the member does not come to serve.
drill() {
    drill_programs=$1 drill_scratch=$3
    # No member ever speaks to this one. etcd wants a host and a port there.
    drill_place=http://localhost:1
    # A socket's path has at most 107 bytes.
    if [ "${#3}" -gt 95 ]; then
        echo "the path of $3 is too long for a socket in it: choose a folder with a shorter one" >&2
        exit 43
    fi
    rm -rf -- "$3"
    mkdir -m 700 -- "$3"
    checked=$("$1/etcdutl" snapshot status "$2" --write-out=json) || exit 41
    echo "status $checked"
    "$1/etcdutl" snapshot restore "$2" --data-dir="$3/data" --name=drill --initial-cluster="drill=$drill_place" \
        --initial-advertise-peer-urls="$drill_place" >&2 || exit 41
    become_drill >"$3/log" 2>&1 &
    drill_member=$!
    await_drill
    member=$(ask_drill endpoint status --write-out=json)
    echo "member $member"
    revision=$(printf '%s' "$member" | sed -n 's/.*"revision":\([0-9]*\).*/\1/p')
    live_keys "$revision" "$(stat -c %s -- "$2")" ask_drill
}
