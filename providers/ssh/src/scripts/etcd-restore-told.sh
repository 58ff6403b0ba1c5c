# shellcheck shell=sh
# Has etcd tell what a snapshot holds that has come to this host. It changes nothing. Stands behind `fence.sh` and `etcdutl.sh`.
#
# Arguments: the snapshot's SHA-256.
# Says `version` with the release of etcdutl, and `status` with what it says of the snapshot.
# Ends with 23 when the programs have not come; with 25 when the snapshot is not there, and says `there` with how many bytes of it
# are; with 40 when etcdutl does not read it, and as etcdutl when that fails in another way.

snapshot=$keelson_root/assets/$1
etcdutl=/opt/keelson/bin/etcdutl

[ -x "$etcdutl" ] || exit 23
if [ ! -f "$snapshot" ]; then
    echo "there $(stat -c %s -- "$snapshot.upload" 2>/dev/null || echo 0)"
    exit 25
fi
version=$("$etcdutl" version) || end_as_etcdutl $?
echo "version $(printf '%s\n' "$version" | sed -n 's/^etcdutl version: *//p')"
ended=0
words=$(mktemp)
trap 'rm -f -- "$words"' EXIT
status=$("$etcdutl" snapshot status "$snapshot" --write-out=json 2>"$words") || ended=$?
cat -- "$words" >&2
case $ended in
0) echo "status $status" ;;
1) exit 40 ;;
*)
    # What reads databases panics at some that are damaged; where the machine fails it Go says so in other words.
    if [ "$ended" = 2 ] && grep -q '^panic: ' -- "$words" && ! grep -q 'fault address' -- "$words"; then
        exit 40
    fi
    end_as_etcdutl "$ended"
    ;;
esac
