#!/bin/sh
# Variables: none. Starts keepalived on the interface that has this machine's address; systemd restarts it.
#
#   $1   its configuration, with KEELSON_INTERFACE in place of the interface
set -eu
interface=$(ip -oneline address show | awk -v own="$KEELSON_HOST_ADDRESS" '{ split($4, part, "/"); if (part[1] == own) { print $2; exit } }')
if [ -z "$interface" ]; then
    echo "no interface has the address $KEELSON_HOST_ADDRESS" >&2
    exit 1
fi
sed "s/KEELSON_INTERFACE/$interface/" "$1" >/run/keelson/keepalived.conf
chmod 0600 /run/keelson/keepalived.conf
exec keepalived --dont-fork --log-console --log-detail --use-file=/run/keelson/keepalived.conf \
    --pid=/run/keelson/keepalived.pid --vrrp_pid=/run/keelson/keepalived-vrrp.pid --vrrp
