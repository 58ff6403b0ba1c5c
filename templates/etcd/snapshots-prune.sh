# shellcheck shell=sh
# Variables: none. Stands before `snapshots.sh`: which of the snapshots on this machine stay.
#
# The rules are those of `src/backup/keep.rs` and `prune.rs`, and a test compares the two: of each etcd of each life of the
# cluster the last so many stay, and the newest of each of the last so many hours, days and weeks that have one, in UTC. The
# newest always does. What is damaged, or of a clock that is ahead, is counted by no rule and left alone.
# However many there are, it takes the same few programs.

# Of the snapshots in $backups, at the time `$1` in seconds, a line each to $scratch/seen, the newest first: whose, when, name,
# SHA-256. To $scratch/unfinished the names of those that never counted: nobody takes one while this runs.
survey_backups() {
    find "$backups" -mindepth 1 -maxdepth 2 -printf '%y %s %P\n' >"$scratch/found"
    : >"$scratch/unfinished"
    awk -v folder="$backups" -v now="$1" -v damaged="$scratch/damaged" -v unfinished="$scratch/unfinished" '
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
        # Of a moment in UTC in whole seconds; nothing for what is none. Days are counted from a first of March on.
        function seconds_of(moment,    year, month, day, age) {
            if (moment !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z$/) return ""
            year = substr(moment, 1, 4) + 0
            month = substr(moment, 6, 2) + 0
            day = substr(moment, 9, 2) + 0
            if (month <= 2) { year--; month += 12 }
            age = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * (month - 3) + 2) / 5) + day - 719469
            return age * 86400 + substr(moment, 12, 2) * 3600 + substr(moment, 15, 2) * 60 + substr(moment, 18, 2)
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

# Says of $scratch/seen what is to be deleted, `delete NAME`, and where something is, `newest NAME SHA256` before it.
judge_backups() {
    awk -v last="$KEELSON_KEEP_LAST" -v hourly="$KEELSON_KEEP_HOURLY" -v daily="$KEELSON_KEEP_DAILY" \
        -v weekly="$KEELSON_KEEP_WEEKLY" '
        # True for the newest of a period that is among the last so many.
        function is_first(which, number, period) {
            if (counts[which] == number || period == periods[which]) return 0
            counts[which]++
            periods[which] = period
            return 1
        }
        $1 != whose {
            whose = $1
            newest = "newest " $3 " " $4
            place = 0
            split("0 0 0", counts)
            split("- - -", periods)
        }
        {
            place++
            day = int($2 / 86400)
            stays = place == 1 || place <= last + 0
            # The first of January 1970 was a Thursday.
            if (is_first(1, hourly + 0, int($2 / 3600))) stays = 1
            if (is_first(2, daily + 0, day)) stays = 1
            if (is_first(3, weekly + 0, int((day + 3) / 7))) stays = 1
            if (stays) next
            if (newest) print newest
            newest = ""
            print "delete", $3
        }
    ' "$scratch/seen"
}

# Adds to $scratch/damaged those of the newest in $scratch/plan that are not what was written. Fails where there is none.
find_damaged() {
    status=1
    while read -r verb name sha256; do
        [ "$verb" = newest ] || continue
        is=$(sha256sum <"$backups/$name/snapshot" | cut -d ' ' -f 1)
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
