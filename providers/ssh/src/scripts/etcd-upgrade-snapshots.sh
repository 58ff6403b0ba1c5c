# shellcheck shell=sh
# Lists the snapshots on this host: a line each with the size of the file, `-` where it is missing, and its manifest.
# `end` ends it, so that an answer that was cut short is never taken for a whole one.
set -u

for manifest in /var/lib/keelson/snapshots/*.json; do
    [ -f "$manifest" ] || continue
    size=$(stat -c %s -- "${manifest%.json}.db" 2>/dev/null) || size=-
    printf '%s %s\n' "$size" "$(tr '\n' ' ' <"$manifest")"
done
echo end
