#!/bin/sh
# Variables: none. Keeps a route to the pods of every other node, and the configuration by which this node's own pods get
# their addresses (plugin `routed`). Runs on every node, and waits for an API server by itself.
#
# What it knows of nodes is in its state directory, a file a node: range of its pods, address. So the routes are there
# again right after a reboot, before any API server is. Routes that it made bear the protocol number 76, its table of
# nftables is called keelson_pods; nothing else is touched.
set -eu
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
protocol=76
nodes=$STATE_DIRECTORY/nodes
configuration=/etc/cni/net.d/10-keelson.conflist
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

# The pods of this node are on a bridge, and get addresses out of the node's range $1. A node that was deleted and comes again
# gets another range, and its bridge another address (forceAddress: https://www.cni.dev/plugins/current/main/bridge/).
write_configuration() {
    everywhere=0.0.0.0/0
    [ "$(family "$1")" = -4 ] || everywhere=::/0
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
      "hairpinMode": true,
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
        write_configuration "$2"
        return 0
    fi
    before=
    [ ! -f "$nodes/$1" ] || before=$(cat "$nodes/$1")
    if [ "$before" != "$2 $3" ]; then
        if [ -n "$before" ] && [ "${before%% *}" != "$2" ]; then withdraw "${before%% *}" "${before##* }"; fi
        printf '%s %s\n' "$2" "$3" >"$STATE_DIRECTORY/node"
        mv -f "$STATE_DIRECTORY/node" "$nodes/$1"
        say "pods of $1: $2 by $3"
    fi
    ip "$(family "$2")" route replace "$2" via "$3" proto "$protocol" || say "no route to $1 by $3"
}

# Only where it still leads to $2: by now another node may have the range.
withdraw() { ip "$(family "$1")" route del "$1" via "$2" proto "$protocol" 2>/dev/null || :; }

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

begin() {
    masquerade
    for file in "$nodes"/*; do
        [ -f "$file" ] || continue
        read -r range address <"$file"
        know "${file##*/}" "$range" "$address"
    done
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
