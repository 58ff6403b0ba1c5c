#!/bin/sh
# Writes down what became of the etcd member on this host.
#
# Arguments: what a mark of ours has in it, the etcd cluster, the mark.
# Nothing has been done when it ends with 20: no mark of ours is there.
set -eu
umask 022
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

mark=/var/lib/keelson/etcd-$2.json
grep -Fq -- "$1" "$mark" || exit 20
printf '%s\n' "$3" >"$mark.new"
sync -- "$mark.new"
mv -f -- "$mark.new" "$mark"
