# shellcheck shell=sh
# Looks whether this host has what it takes to give its etcd member data. It changes nothing. Stands behind `fence.sh`.
#
# Arguments: the member's unit. Ends with 23 when the programs and units have not come.

[ -x /opt/keelson/bin/etcdutl ] && systemctl cat -- "$1" >/dev/null 2>&1 || exit 23
