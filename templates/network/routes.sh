#!/bin/sh
# Variables: none. Keeps a route to the pods of every other node, and the configuration by which this node's own pods get
# their addresses (plugin `routed`). Runs on every node, and waits for an API server by itself.
#
# What it knows of nodes is in its state directory, a file a node: range of its pods, address. So the routes are there
# again right after a reboot, before any API server is. Routes that it made bear the protocol number 76, its table of
# nftables is called keelson_pods; nothing else is touched.
#
# Where the network between nodes drops packets with pods' addresses (KEELSON_OVERLAY), they go in packets of the nodes' own
# (VXLAN, RFC 7348), by the device keelson1. Nobody is asked who is where: a node's device has the first address of its range,
# which no pod gets, and a hardware address that follows from the node's.
set -eu
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
protocol=76
nodes=$STATE_DIRECTORY/nodes
configuration=/etc/cni/net.d/10-keelson.conflist
device=keelson1
# The number of its network.
network=76
mkdir -p "$nodes"

say() { printf '%s\n' "$*"; }

family() {
    case $1 in
    *:*) echo -6 ;;
    *) echo -4 ;;
    esac
}

# What leaves the cluster leaves under this machine's own address.
masquerade() {
    word=ip
    [ "$(family "$KEELSON_POD_RANGE")" = -4 ] || word=ip6
    nft -f - <<END
table $word keelson_pods
delete table $word keelson_pods
table $word keelson_pods {
    chain leaving {
        type nat hook postrouting priority srcnat; policy accept;
        $word saddr $KEELSON_POD_RANGE $word daddr != $KEELSON_POD_RANGE fib daddr type != local masquerade
    }
}
END
}

has_overlay() { [ "$KEELSON_OVERLAY" = yes ]; }

# The hardware address of the device of the node at $1: one that no maker gives out, by its second bit.
hardware_address() {
    case $1 in
    *:*) printf '%s' "$1" | sha256sum | sed 's/^\(..\)\(..\)\(..\)\(..\)\(..\).*/02:\1:\2:\3:\4:\5/' ;;
    *) printf '%s\n' "$1" | awk -F . '{ printf "02:00:%02x:%02x:%02x:%02x\n", $1, $2, $3, $4 }' ;;
    esac
}

# What fits into one packet of a pod's, next to what is put around it: 20 or 40 bytes of IP, 8 of UDP, 8 of VXLAN, 14 of
# Ethernet. Nothing where no device has this machine's address.
largest_packet() {
    link=$(ip -o address show | awk -v address="$KEELSON_HOST_ADDRESS" \
        '{ split($4, parts, "/"); if (parts[1] == address) link = $2 } END { print link }')
    [ -n "$link" ] || return 0
    around=50
    [ "$(family "$KEELSON_HOST_ADDRESS")" = -4 ] || around=70
    echo "$(($(cat "/sys/class/net/${link%%@*}/mtu") - around))"
}

# This node's end: $1 the range of its pods, $2 its address.
lay_overlay() {
    size=$(largest_packet)
    if [ -z "$size" ]; then
        say "no way to the pods of other nodes: no device has the address $KEELSON_HOST_ADDRESS"
        return 0
    fi
    before=$(ip -d -o link show dev "$device" 2>/dev/null |
        awk '{ for (i = 1; i < NF; i++) if ($i == "local" || $i == "local6") { print $(i + 1); exit } }')
    if [ -e "/sys/class/net/$device" ] && [ "$before" != "$KEELSON_HOST_ADDRESS" ]; then ip link del dev "$device"; fi
    if [ ! -e "/sys/class/net/$device" ]; then
        ip link add "$device" type vxlan id "$network" local "$KEELSON_HOST_ADDRESS" dstport 4789 nolearning
    fi
    hardware=$(hardware_address "$2")
    # Whatever is known of other nodes goes with the old one.
    [ "$(cat "/sys/class/net/$device/address")" = "$hardware" ] || ip link set dev "$device" address "$hardware"
    ip link set dev "$device" mtu "$size" up
    length=32
    [ "$(family "$1")" = -4 ] || length=128
    ip "$(family "$1")" -o address show dev "$device" scope global | while read -r _ _ _ old _; do
        [ "$old" = "${1%/*}/$length" ] || ip address del "$old" dev "$device"
    done
    ip address replace "${1%/*}/$length" dev "$device"
}

# The pods of this node are on a bridge, and get addresses out of the node's range $1. A node that was deleted and comes again
# gets another range, and its bridge another address (forceAddress: https://www.cni.dev/plugins/current/main/bridge/).
write_configuration() {
    everywhere=0.0.0.0/0
    [ "$(family "$1")" = -4 ] || everywhere=::/0
    mtu=
    if has_overlay && [ -e "/sys/class/net/$device" ]; then
        mtu="
      \"mtu\": $(cat "/sys/class/net/$device/mtu"),"
    fi
    cat >"$STATE_DIRECTORY/conflist" <<END
{
  "cniVersion": "1.0.0",
  "name": "keelson",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "keelson0",
      "isGateway": true,
      "forceAddress": true,
      "hairpinMode": true,$mtu
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "$1" }]],
        "routes": [{ "dst": "$everywhere" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
END
    cmp -s "$STATE_DIRECTORY/conflist" "$configuration" && return 0
    mkdir -p "${configuration%/*}"
    cp "$STATE_DIRECTORY/conflist" "$configuration.keelson-new"
    chmod 0600 "$configuration.keelson-new"
    mv -f "$configuration.keelson-new" "$configuration"
    say "the pods of this node are in $1"
}

# A node that is there: $1 its name, $2 the range of its pods, $3 its address.
know() {
    [ -n "$2" ] && [ -n "$3" ] || return 0
    if [ "$1" = "$KEELSON_HOST_NAME" ]; then
        if has_overlay; then
            know_own "$2" "$3"
            # No pod comes before its way to others.
            [ -e "/sys/class/net/$device" ] || return 0
        fi
        write_configuration "$2"
        return 0
    fi
    before=
    [ ! -f "$nodes/$1" ] || before=$(cat "$nodes/$1")
    if [ "$before" != "$2 $3" ]; then
        printf '%s %s\n' "$2" "$3" >"$STATE_DIRECTORY/node"
        mv -f "$STATE_DIRECTORY/node" "$nodes/$1"
        # A route to the same range is replaced; what an overlay knows of the node's address is not.
        if [ -n "$before" ] && { has_overlay || [ "${before%% *}" != "$2" ]; }; then
            withdraw "${before%% *}" "${before##* }"
        fi
        say "pods of $1: $2 by $3"
    fi
    reach "$2" "$3" || say "no route to $1 by $3"
}

# Written down, so that the way to other nodes is there after a reboot too, before any API server is.
know_own() {
    own="$1 $2"
    [ -f "$STATE_DIRECTORY/own" ] && [ "$(cat "$STATE_DIRECTORY/own")" = "$own" ] && [ -e "/sys/class/net/$device" ] && return 0
    printf '%s\n' "$own" >"$STATE_DIRECTORY/own-new"
    mv -f "$STATE_DIRECTORY/own-new" "$STATE_DIRECTORY/own"
    lay_overlay "$1" "$2"
    reach_known
}

# The way to the pods in $1, which are on the node at $2.
reach() {
    if ! has_overlay; then
        ip "$(family "$1")" route replace "$1" via "$2" proto "$protocol"
        return
    fi
    # It comes with this node's own range.
    [ -e "/sys/class/net/$device" ] || return 0
    hardware=$(hardware_address "$2")
    bridge fdb replace "$hardware" dev "$device" dst "$2" self permanent &&
        ip "$(family "$1")" neigh replace "${1%/*}" lladdr "$hardware" dev "$device" nud permanent &&
        ip "$(family "$1")" route replace "$1" via "${1%/*}" dev "$device" onlink proto "$protocol"
}

# Only where it still leads to $2: by now another node may have the range.
withdraw() {
    if ! has_overlay; then
        ip "$(family "$1")" route del "$1" via "$2" proto "$protocol" 2>/dev/null || :
        return 0
    fi
    hardware=$(hardware_address "$2")
    leads_to=$(ip "$(family "$1")" neigh show "${1%/*}" dev "$device" 2>/dev/null | awk '$2 == "lladdr" { print $3 }')
    if [ "$leads_to" = "$hardware" ]; then
        ip "$(family "$1")" route del "$1" dev "$device" proto "$protocol" 2>/dev/null || :
        ip "$(family "$1")" neigh del "${1%/*}" dev "$device" 2>/dev/null || :
    fi
    # A machine may be there under another name, or in another range.
    awk -v address="$2" '$2 == address { found = 1 } END { exit !found }' "$nodes"/* 2>/dev/null ||
        bridge fdb del "$hardware" dev "$device" dst "$2" self 2>/dev/null || :
}

forget() {
    [ -f "$nodes/$1" ] || return 0
    read -r range address <"$nodes/$1"
    rm -f "$nodes/$1"
    withdraw "$range" "$address"
    say "$1 is gone"
}

kubectl() { "$KEELSON_KUBECTL" --kubeconfig "$KEELSON_ROUTES_KUBECONFIG" "$@"; }

# Forgets nodes that went while nobody listened. Runs once the listening has begun, so none that comes meanwhile is missed.
forget_gone() {
    kubectl get nodes --request-timeout=20s --output name >"$STATE_DIRECTORY/present" || return 0
    for file in "$nodes"/*; do
        [ -f "$file" ] || continue
        name=${file##*/}
        grep -Fqx -- "node/$name" "$STATE_DIRECTORY/present" || forget "$name"
    done
}

reach_known() {
    for file in "$nodes"/*; do
        [ -f "$file" ] || continue
        read -r range address <"$file"
        reach "$range" "$address" || say "no route to ${file##*/} by $address"
    done
}

begin() {
    masquerade
    if has_overlay && [ -f "$STATE_DIRECTORY/own" ]; then
        read -r range address <"$STATE_DIRECTORY/own"
        lay_overlay "$range" "$address"
        write_configuration "$range"
    fi
    reach_known
}

# kubectl makes columns of what tabs divide, so something else does.
template='{{.type}}|{{.object.metadata.name}}|{{with .object.spec.podCIDR}}{{.}}{{end}}|'
template=$template'{{range .object.status.addresses}}{{if eq .type "InternalIP"}}{{.address}} {{end}}{{end}}{{"\n"}}'

# Listens to what the API says of nodes for as long as it says something, and leaves a file where it did. Ended from time to
# time, so that no connection that only seems to stand is listened to for ever.
listen() {
    timeout 1800 "$KEELSON_KUBECTL" --kubeconfig "$KEELSON_ROUTES_KUBECONFIG" get nodes --watch --output-watch-events \
        --output "go-template=$template" 2>"$STATE_DIRECTORY/words" | while IFS='|' read -r event name range addresses; do
        case $event in
        ADDED | MODIFIED) know "$name" "$range" "${addresses%% *}" ;;
        DELETED) forget "$name" ;;
        esac
        if [ ! -e "$STATE_DIRECTORY/heard" ]; then
            : >"$STATE_DIRECTORY/heard"
            forget_gone
        fi
    done
}

pause=1
waits=
while :; do
    [ -n "$waits" ] || begin
    rm -f "$STATE_DIRECTORY/heard"
    # Never in a condition: there the shell would go on after a command that failed.
    listen
    if [ -e "$STATE_DIRECTORY/heard" ]; then
        pause=1 waits=
    elif [ -z "$waits" ]; then
        words=$(tail -n 1 "$STATE_DIRECTORY/words")
        say "wait for an API server: ${words:-it says nothing of nodes}"
        waits=yes
    fi
    sleep "$pause"
    pause=$((pause < 5 ? pause * 2 : 10))
done
