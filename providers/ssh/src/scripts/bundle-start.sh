# shellcheck shell=sh
# Starts what the bundle has brought, what is to run, and what does not. Stands behind `fence.sh`.
#   $1 on  the units
for unit in "$@"; do
    printf 'keelson: start %s\n' "$unit"
    # systemd does not try again what has failed too often.
    systemctl reset-failed -- "$unit" 2>/dev/null || :
    if ! systemctl start -- "$unit" 8>&-; then
        words=$(journalctl --unit "$unit" --lines 3 --no-pager --output cat 2>/dev/null | tr '\n' ' ')
        printf '%s does not start: %s\n' "$unit" "$words" >&2
        exit 1
    fi
done
