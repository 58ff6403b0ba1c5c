# shellcheck shell=sh
# Variables: none. Stands before `snapshots-here.sh` and `snapshots-bucket.sh`: which snapshots stay.
#
# The rules are those of `src/backup/keep.rs` and `prune.rs`, and a test compares the two: of each etcd of each life of the
# cluster the last so many stay, and the newest of each of the last so many hours, days and weeks that have one, in UTC. The
# newest always does.

# Of a moment in UTC in whole seconds; nothing for what is none. Days are counted from a first of March on.
# Words of awk's.
# shellcheck disable=SC2034 # used by what stands behind
seconds_of='
    function seconds_of(moment,    year, month, day, age) {
        if (moment !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z$/) return ""
        year = substr(moment, 1, 4) + 0
        month = substr(moment, 6, 2) + 0
        day = substr(moment, 9, 2) + 0
        if (month <= 2) { year--; month += 12 }
        age = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * (month - 3) + 2) / 5) + day - 719469
        return age * 86400 + substr(moment, 12, 2) * 3600 + substr(moment, 15, 2) * 60 + substr(moment, 18, 2)
    }
'

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
