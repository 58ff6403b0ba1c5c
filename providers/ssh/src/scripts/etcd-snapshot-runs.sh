# shellcheck shell=sh
# Says what became of the snapshots that this host is to take by a schedule. It changes nothing.
#
# Arguments, for each etcd: its name, its timer, its unit. Where the timer is installed, a line each: the etcd, `since` when in
# seconds, and where the last run has failed, the etcd and `failed` with its last words. `end` ends it.
set -u

while [ $# -ge 3 ]; do
    etcd=$1 timer=$2 unit=$3
    shift 3
    since=$(stat -c %Y -- "/etc/systemd/system/$timer" 2>/dev/null) || continue
    echo "$etcd since $since"
    [ "$(systemctl show --property=ActiveState --value -- "$unit" 2>/dev/null)" = failed ] || continue
    run=$(systemctl show --property=InvocationID --value -- "$unit" 2>/dev/null)
    words=$(journalctl _SYSTEMD_INVOCATION_ID="$run" --identifier="${unit%.service}" --lines=1 --no-pager --output=cat 2>/dev/null | tr '\n' ' ')
    [ -n "$words" ] || words=$(systemctl show --property=Result --value -- "$unit" 2>/dev/null)
    printf '%s failed %s\n' "$etcd" "$words" | cut -c 1-600
done
echo end
