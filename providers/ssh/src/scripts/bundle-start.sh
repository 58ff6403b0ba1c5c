# shellcheck shell=sh
# Starts what the bundle has brought, what is to run, and what does not. Stands behind `fence.sh` and `unit.sh`.
#   $1 on  the units
for unit in "$@"; do
    printf 'keelson: start %s\n' "$unit"
    # systemd does not try again what has failed too often.
    systemctl reset-failed -- "$unit" 2>/dev/null || :
    start_unit "$unit"
done
