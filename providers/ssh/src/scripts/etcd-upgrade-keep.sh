# shellcheck shell=sh
# Keeps a snapshot that has been checked, with its manifest beside it. Stands behind `fence.sh` and `write.sh`.
#
# Arguments: what a manifest of ours has in it, the etcd cluster, the snapshot's name, the manifest.

file=/var/lib/keelson/snapshots/$3
mv -f -- "$file.db.new" "$file.db"
printf '%s\n' "$4" | write "$file.json"
