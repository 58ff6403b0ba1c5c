# shellcheck shell=sh
# Variables: none. Stands before `snapshots.sh`, behind `object-store.sh` and `snapshots-rules.sh`: snapshots are kept in a bucket.
#
# Each is two objects, NAME/snapshot and NAME/manifest.json below $KEELSON_S3_FOLDER; it counts when the second one is there.
# Nothing of it stays on this machine. Whoever has kept one prunes. Where the bucket is the state store's, those that were saved
# by hand lie there too, packed in their own way and maybe encrypted: they count, stay and go by the same rules.

# So many are deleted at one firing at most: each is looked at first.
prune_limit=100
# After so many that are not of this life of the cluster nobody looks on: those that are older are not, either.
strangers_limit=3

begin_place() {
    command -v curl >/dev/null || fail 'curl is not installed, and the bucket cannot be reached without it: install it'
    s3_endpoint=$KEELSON_S3_ENDPOINT s3_bucket=$KEELSON_S3_BUCKET s3_region=$KEELSON_S3_REGION
    s3_path_style=$KEELSON_S3_PATH_STYLE s3_ca=$KEELSON_S3_CA s3_credentials=/etc/keelson/etcd-snapshots.key
    s3_begin || fail 'the key of the bucket cannot be read: run keelson apply'
}
end_place() { s3_end; }
make_room() { :; }

# Puts the snapshot in $new, which is whole, in its place as `$1`, its manifest last.
keep_snapshot() {
    for object in snapshot manifest.json; do
        answer=0
        s3_put "$new/$object" "$KEELSON_S3_FOLDER$1/$object" 2>"$scratch/words" || answer=$?
        case $answer in
        0) ;;
        3)
            why="took none: another member has kept $1"
            break
            ;;
        *) exit 1 ;;
        esac
    done
    rm -rf -- "$new"
}

# Of the keys in $scratch/keys, at the time `$1` in seconds, a line for each snapshot of $KEELSON_ETCD that counts: whose, when,
# name, `-`. To $scratch/unfinished the names of those that never counted and are a day old: no save takes so long.
survey_bucket() {
    : >"$scratch/unfinished"
    awk -v folder="$KEELSON_S3_FOLDER" -v now="$1" -v etcd="$KEELSON_ETCD" -v unfinished="$scratch/unfinished" "$seconds_of"'
        # When the snapshot of that name was taken; nothing for what is no name of one of this etcd.
        function taken(name) {
            if (etcd != "main") {
                if (index(name, etcd "-") != 1) return ""
                name = substr(name, length(etcd) + 2)
            }
            if (name !~ /^[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9]+$/) return ""
            return seconds_of(substr(name, 1, 4) "-" substr(name, 5, 2) "-" substr(name, 7, 5) ":" substr(name, 12, 2) ":" \
                substr(name, 14, 3))
        }
        index($0, folder) == 1 {
            split(substr($0, length(folder) + 1), path, "/")
            names[path[1]] = 1
            if (path[2] == "manifest.json") manifests[path[1]] = 1
            if (path[2] == "snapshot") snapshots[path[1]] = 1
        }
        END {
            for (name in names) {
                moment = taken(name)
                if (moment == "" || moment > now + 600) continue
                if (name in manifests && name in snapshots) printf "%s %012.0f %s -\n", etcd, moment, name
                else if (name in snapshots && !(name in manifests) && moment < now - 86400) print name >unfinished
            }
        }
    ' "$scratch/keys" >"$scratch/whole"
    sort -k 1,1 -k 2,2r -k 3,3r "$scratch/whole" >"$scratch/seen"
}

# True when the snapshot `$1` is of this life of the cluster: those of an earlier one, or of another cluster, are not ours to
# delete.
is_of_this_cluster() {
    answer=0
    s3_read "$KEELSON_S3_FOLDER$1/manifest.json" >"$scratch/manifest" 2>"$scratch/words" || answer=$?
    case $answer in
    0) ;;
    4) return 1 ;;
    *) exit 1 ;;
    esac
    grep -Eq "\"clusterUid\" *: *\"$uid\"" "$scratch/manifest"
}

delete_from_bucket() {
    for object in manifest.json snapshot; do
        s3_delete "$KEELSON_S3_FOLDER$1/$object" 2>"$scratch/words" || exit 1
    done
    deleted=$((deleted + 1))
}

# Deletes what no rule keeps at the time `$1` in seconds, and what never counted. Sets `deleted` to how many that were. The
# newest is the one that was just written: the server has compared its SHA-256. Whoever has taken none leaves it to those who
# do.
prune_backups() {
    deleted=0 damaged=''
    case $why in
    'took none'*) return 0 ;;
    esac
    s3_list "$KEELSON_S3_FOLDER" >"$scratch/keys" 2>"$scratch/words" || exit 1
    survey_bucket "$1"
    judge_backups | sed -n 's/^delete //p' | head -n "$prune_limit" >"$scratch/names"
    strangers=0
    while read -r old <&4; do
        # Somebody whose clock is ahead may have kept one since.
        [ "$old" != "$name" ] || continue
        if is_of_this_cluster "$old"; then
            delete_from_bucket "$old"
        else
            strangers=$((strangers + 1))
            [ "$strangers" -lt "$strangers_limit" ] || break
        fi
    done 4<"$scratch/names"
    while read -r old <&4; do
        delete_from_bucket "$old"
    done 4<"$scratch/unfinished"
    : >"$scratch/words"
}
