# shellcheck shell=sh
# Says what stands in the way of a virtual address on a host: lines of a finding's name, a tab and what is wrong; `holds` where
# the host has the address from keepalived. Changes nothing.
#   $1     the address
set -u
address=$1

say() { printf '%s\t%s\n' "$1" "$2"; }

command -v keepalived >/dev/null 2>&1 || say keepalived 'it has no keepalived, which holds the virtual address'
# keepalived gives an interface the address alone; with a network it is what the host itself is reached at.
held=$(ip -o address show 2>/dev/null | awk -v address="$address" '{ split($4, part, "/") } part[1] == address { print $4; exit }')
case $held in
'') ;;
"$address/32" | "$address/128")
    say holds "$address"
    exit 0
    ;;
*)
    say api-address-own "$address is its own: it has $held"
    exit 0
    ;;
esac
# Without a gateway: only what is in a network of the host's own is reached so.
route=$(ip route get "$address" 2>/dev/null | head -n 1)
case $route in
'') say api-address-network "$address is in no network that it knows" ;;
*' via '*) say api-address-network "$address is not in a network of its own: it is reached $(printf '%s' "$route" | grep -o 'via [^ ]*')" ;;
*)
    device=$(printf '%s' "$route" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    # What the kernel remembers of an earlier holder is no answer.
    ip neigh del "$address" dev "$device" 2>/dev/null || :
    if command -v ping >/dev/null 2>&1; then ping -c 1 -W 1 -- "$address" >/dev/null 2>&1 || :; fi
    hardware=$(ip neigh show to "$address" dev "$device" 2>/dev/null | sed -n 's/.*lladdr \([^ ]*\) \(REACHABLE\|DELAY\|PROBE\|STALE\).*/\1/p')
    [ -z "$hardware" ] || say api-address-taken "someone answers at $address already: hardware address $hardware"
    ;;
esac
