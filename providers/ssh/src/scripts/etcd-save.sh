# shellcheck shell=sh
# Has the member on this host write a snapshot, and checks it. It has no manifest yet, so nobody takes it for one.
# Stands behind `fence.sh` and `etcdctl.sh`.
#
# Arguments: what a mark of ours has in it, the etcd cluster, the member's port for clients, the snapshot's name, how
# many KiB must be free.
# Says in a line each: `status` with what etcdutl says of it, `sha256`, `size`.
# Nothing has been done when it ends with: 20 no mark of ours is there, 24 there is not enough room.
# 40 the snapshot is damaged.

ours=$1 cluster=$2 port=$3 name=$4 need=$5
folder=/var/lib/keelson/snapshots
new=$folder/$name.db.new

grep -Fqs -- "$ours" "/var/lib/keelson/etcd-$cluster.json" || exit 20
free=$(df -Pk -- /var/lib/keelson | awk 'END { print $4 }')
if [ "$free" -lt "$need" ]; then
    echo "$free KiB are free on the disk of $folder, $need are needed" >&2
    exit 24
fi
mkdir -p -- "$folder"
rm -f -- "$new" "$new.part"
trap 'exit 143' TERM
trap 'rm -f -- "$new.part"; [ -n "${whole:-}" ] || rm -f -- "$new"' EXIT

# Whoever gives no limit gets none; the session has its own.
etcdctl_at "$port" --dial-timeout=3s --command-timeout=900s snapshot save "$new" >&2

# etcd adds the SHA-256 of the database as the last 32 bytes.
size=$(stat -c %s -- "$new")
told=$(tail -c 32 -- "$new" | od -An -v -tx1 | tr -d ' \n')
is=$(head -c "$((size - 32))" -- "$new" | sha256sum | cut -d ' ' -f 1)
if [ "$told" != "$is" ]; then
    echo "the SHA-256 of its database is $is, and etcd said $told" >&2
    exit 40
fi
status=$(/opt/keelson/bin/etcdutl snapshot status "$new" --write-out=json)
sync -- "$new"
whole=yes
echo "status $status"
echo "sha256 $(sha256sum -- "$new" | cut -d ' ' -f 1)"
echo "size $size"
