# shellcheck shell=sh
# Looks at the snapshots that this host has taken by a schedule and keeps. It changes nothing.
#
# A line each: `size` with the path of a snapshot below the folder and its size in bytes, `text` with the path of a manifest
# and all of it. `end` ends it, so that an answer that was cut short is never taken for a whole one. However many there are, it
# takes the same few programs.
set -u
backups=/var/lib/keelson/backups

if [ -d "$backups" ]; then
    find "$backups" -mindepth 2 -maxdepth 2 -type f -printf '%s %P\n' | awk -v folder="$backups" '
        NF != 2 || $2 !~ /^[A-Za-z0-9-]+\/[a-z.]+$/ { next }
        $2 ~ /\/snapshot$/ { print "size", $2, $1 }
        # No manifest is so long.
        $2 ~ /\/manifest\.json$/ && $1 <= 65536 {
            text = ""
            while ((got = (getline line < (folder "/" $2))) > 0) text = text line " "
            close(folder "/" $2)
            # The machine deletes what is too old also while it is looked at. What is there and cannot be read is damaged.
            if (got == 0 || system("test -e " folder "/" $2) == 0) print "text", $2, text
        }
    ' || exit 1
fi
echo end
