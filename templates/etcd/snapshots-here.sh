# shellcheck shell=sh
# Variables: none. Stands before `snapshots.sh`, behind `snapshots-rules.sh`: snapshots are kept on this machine.
#
# What is damaged, or of a clock that is ahead, is counted by no rule and left alone. However many there are, it takes the same
# few programs.

begin_place() { :; }
end_place() { :; }

# Where the disk is full, what no rule keeps goes before there is to be another one. Sets `made` to how many that were.
make_room() {
    prune_backups "$(date +%s)"
    made=$deleted
}

# Puts the snapshot in $new, which is whole and on the disk, in its place as `$1`.
keep_snapshot() {
    mv -T -- "$new" "$backups/$1"
    sync -- "$backups"
}

# Of the snapshots in $backups, at the time `$1` in seconds, a line each to $scratch/seen, the newest first: whose, when, name,
# SHA-256. To $scratch/unfinished the names of those that never counted: nobody takes one while this runs.
survey_backups() {
    find "$backups" -mindepth 1 -maxdepth 2 -printf '%y %s %P\n' >"$scratch/found"
    : >"$scratch/unfinished"
    awk -v folder="$backups" -v now="$1" -v damaged="$scratch/damaged" -v unfinished="$scratch/unfinished" "$seconds_of"'
        function text_of(json, key) {
            if (!match(json, "\"" key "\" *: *\"[^\"]*\"")) return ""
            json = substr(json, RSTART, RLENGTH - 1)
            sub(/^.*"/, "", json)
            return json
        }
        function digits_of(json, key) {
            if (!match(json, "\"" key "\" *: *[0-9]+")) return ""
            json = substr(json, RSTART, RLENGTH)
            sub(/^.*[^0-9]/, "", json)
            return json
        }
        function look(name,    file, line, text, stored, taken) {
            file = folder "/" name "/manifest.json"
            text = ""
            while ((getline line < file) > 0) text = text " " line
            close(file)
            if (!match(text, /"stored"/)) return
            stored = substr(text, RSTART)
            text = substr(text, 1, RSTART - 1)
            taken = seconds_of(text_of(text, "takenAt"))
            if (digits_of(text, "form") != "1" || text_of(text, "name") != name || text_of(stored, "packing") != "gzip") return
            if (text_of(text, "clusterUid") !~ /^[A-Za-z0-9-]+$/ || text_of(text, "etcdCluster") !~ /^[A-Za-z0-9-]+$/) return
            if (taken == "" || taken > now + 600 || digits_of(stored, "sizeBytes") "" != sizes[name] "") return
            if (text_of(stored, "sha256") !~ /^[0-9a-f]+$/) return
            printf "%s/%s %012.0f %s %s\n", text_of(text, "clusterUid"), text_of(text, "etcdCluster"), taken, name, text_of(stored, "sha256")
        }
        BEGIN { while ((getline name < damaged) > 0) is_damaged[name] = 1 }
        {
            parts = split($3, path, "/")
            if (NF != 3 || path[1] !~ /^[A-Za-z0-9-]+$/) next
            if (parts == 1 && $1 == "d") names[path[1]] = 1
            if (parts == 2 && path[2] == "snapshot" && $1 == "f") sizes[path[1]] = $2
            # No manifest is so long.
            if (parts == 2 && path[2] == "manifest.json") manifests[path[1]] = ($1 == "f" && $2 <= 65536)
        }
        END {
            for (name in names) {
                if (!(name in manifests)) print name >unfinished
                else if (manifests[name] && !(name in is_damaged)) look(name)
            }
        }
    ' "$scratch/found" >"$scratch/whole"
    sort -k 1,1 -k 2,2r -k 3,3r "$scratch/whole" >"$scratch/seen"
}

# Adds to $scratch/damaged those of the newest in $scratch/plan that are not what was written. Fails where there is none.
find_damaged() {
    status=1
    while read -r verb name sha256; do
        [ "$verb" = newest ] || continue
        is=$(sha256 <"$backups/$name/snapshot")
        [ "$is" != "$sha256" ] || continue
        printf '%s\n' "$name" >>"$scratch/damaged"
        status=0
    done <"$scratch/plan"
    return "$status"
}

# Deletes the snapshots whose names come from stdin: the manifest first, so that at no moment half of one counts.
delete_backups() {
    sed "s|.*|$backups/&|" >"$scratch/folders"
    sed 's|$|/manifest.json|' "$scratch/folders" | xargs -r rm -f --
    sed 's|$|/snapshot|' "$scratch/folders" | xargs -r rm -f --
    # What else somebody has put there stays.
    xargs -r rmdir -- <"$scratch/folders" 2>/dev/null || :
}

# Deletes what no rule keeps at the time `$1` in seconds, after the newest was read again, and what never counted. Sets
# `deleted` to how many that were, and `damaged` to the names of those that were found damaged.
prune_backups() {
    : >"$scratch/damaged"
    while :; do
        survey_backups "$1"
        judge_backups >"$scratch/plan"
        find_damaged || break
    done
    { sed -n 's/^delete //p' "$scratch/plan" && cat -- "$scratch/unfinished"; } >"$scratch/names"
    deleted=$(wc -l <"$scratch/names")
    damaged=$(tr '\n' ' ' <"$scratch/damaged")
    delete_backups <"$scratch/names"
}
