# shellcheck shell=sh
# Variables: none. Takes a snapshot of the etcd member on this machine, when a timer says so and it is its turn, and keeps it.
# What differs comes from the environment: `snapshots.env.hbs`.
#
# Each is a folder NAME with `snapshot` and `manifest.json`, as `src/backup/manifest.rs` has it, in /var/lib/keelson/backups or
# in a bucket. It comes to its place when it is whole and on the disk. Nothing here is encrypted, and no key is needed for that.
# Stands behind `etcdctl.sh`, `etcd-live-keys.sh`, `room.sh`, `sha256.sh`, `etcd-snapshot.sh`, `snapshots-turn.sh`, and
# `snapshots-here.sh` or `snapshots-bucket.sh`.
set -eu
umask 077
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

root=/var/lib/keelson
backups=$root/backups
scratch=$RUNTIME_DIRECTORY
new=$backups/.new
authorities=/etc/keelson/etcd-snapshots-authorities.json

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# What is left goes; the reason comes last, without what etcd's programs log.
ended() {
    status=$?
    trap - EXIT
    rm -rf -- "$new"
    end_place
    if [ "$status" -ne 0 ] && [ -s "$scratch/words" ]; then
        { grep -v '^{' "$scratch/words" || cat -- "$scratch/words"; } | tail -n 1 | cut -c 1-400 >&3
    fi
    exit "$status"
}

# The number `$1` in what etcdutl says of the snapshot.
number() { sed -n "s/^status .*\"$1\":\([0-9][0-9]*\).*/\1/p" "$scratch/said"; }

# The digests of the cluster's authorities and keys by their names, as they were brought here; none where they were not.
key_digests() {
    row='"[a-z-]+":"sha256:[0-9a-f]{64}"'
    grep -Exm 1 "\{$row(,$row)*\}" "$authorities" 2>/dev/null || echo '{}'
}

# Writes the manifest of the snapshot $name to `$1`.
write_manifest() {
    kubernetes=''
    [ -z "$KEELSON_KUBERNETES_VERSION" ] || kubernetes="\"kubernetesVersion\":\"$KEELSON_KUBERNETES_VERSION\","
    live=$(sed -n 's/^live /,"live":/p' "$scratch/said")
    cat >"$1" <<END
{"form":1,"name":"$name","clusterUid":"$uid","clusterName":"$KEELSON_CLUSTER","etcdCluster":"$KEELSON_ETCD",\
"purpose":"schedule","takenAt":"$taken","machine":"$KEELSON_HOST_NAME","etcdVersion":"$version",${kubernetes}"authorities":$(key_digests),\
"contents":{"hash":$(number hash),"revision":$revision,"totalKeys":$(number totalKey),"totalBytes":$(number totalSize)$live},\
"sizeBytes":$size,"sha256":"$sha256",\
"stored":{"sizeBytes":$(stat -c %s -- "$new/snapshot"),"sha256":"$(sha256 <"$new/snapshot")","packing":"gzip"}}
END
}

# Has the member write a snapshot, checks it, and puts it in its place.
take() {
    # The database, and the same compressed, which may be no smaller.
    database=$(printf '%s\n' "$member" | told DBSize)
    need_room "$backups" "$((${database:-0} * 2 / 1024 + 131072))"
    version=$(printf '%s\n' "$member" | told Version)
    mkdir -- "$new"
    taken=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    save "$KEELSON_ETCD_PORT" "$new/db" >"$scratch/said" 2>"$scratch/words"
    : >"$scratch/words"
    sha256=$(sed -n 's/^sha256 //p' "$scratch/said")
    size=$(sed -n 's/^size //p' "$scratch/said")
    revision=$(number revision)
    gzip -c -- "$new/db" >"$new/snapshot"
    [ "$(gzip -dc -- "$new/snapshot" | sha256)" = "$sha256" ] ||
        fail 'the compressed snapshot is not the one that was written: see how the disk is (dmesg)'
    rm -f -- "$new/db"
    name=$(printf '%s' "$taken" | tr -d ':-')-$revision
    [ "$KEELSON_ETCD" = main ] || name=$KEELSON_ETCD-$name
    sync -- "$new/snapshot"
    write_manifest "$new/manifest.json"
    sync -- "$new/manifest.json" "$new"
    keep_snapshot "$name"
    [ -n "$why" ] || why="took $name: revision $revision, $size bytes"
}

main() {
    # All machines agree on the minute of a firing, also where one is late to run this.
    fired=$(($(date +%s) / 60))
    case ${TRIGGER_TIMER_REALTIME_USEC:-} in
    '' | *[!0-9]*) ;;
    *) fired=$((TRIGGER_TIMER_REALTIME_USEC / 60000000)) ;;
    esac
    [ -d "$backups" ] || fail "$backups is not there: run keelson apply"
    exec 3>&2
    exec 9<"$backups"
    flock --exclusive --wait 1800 9 || fail "another snapshot is being taken on this machine and does not end"
    trap 'exit 143' TERM
    trap ended EXIT
    rm -rf -- "$new"
    : >"$scratch/words"
    begin_place
    uid=$(sed -n '1s/^{"uid":"\([^"]*\)".*/\1/p' "$root/host.json" 2>/dev/null || :)
    made=0
    find_turn "$fired"
    if [ -z "$why" ]; then
        make_room
        take
    else
        why="took none: $why"
    fi
    prune_backups "$(date +%s)"
    deleted=$((deleted + made))
    [ -z "$damaged" ] || fail "$why; deleted $deleted; damaged, and left as they are: $damaged"
    echo "$why; deleted $deleted"
}

main
