#!/bin/sh
# Keeps a snapshot that has been checked, with its manifest beside it.
#
# Arguments: what a manifest of ours has in it, the etcd cluster, the snapshot's name, the manifest.
set -eu
umask 077
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

file=/var/lib/keelson/snapshots/$3
mv -f -- "$file.db.new" "$file.db"
printf '%s\n' "$4" >"$file.json.new"
sync -- "$file.json.new"
mv -f -- "$file.json.new" "$file.json"
