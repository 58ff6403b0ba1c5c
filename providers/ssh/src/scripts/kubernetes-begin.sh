# shellcheck shell=sh
# Writes down what a host is of its cluster, and starts what serves that. Stands behind `fence.sh`, `write.sh` and
# `unit.sh`.
#   $1     `make`; or `rewrite`, for a mark that has to be there already
#   $2     the mark's name: control-plane, virtual-address or node
#   $3     for a node, the taints that its kubelet registers it with, as its flag takes them; `-` for none
#   $4     `register` where the API has no Node of this host, else `-`
#   $5 on  the units to start, in this order
#   stdin  the mark, one line of JSON that ends with the time; for a node its bootstrap token may follow
how=$1
mark=$keelson_root/$2.json
name=$2
before=$keelson_root/kubernetes-before
token=/etc/kubernetes/bootstrap-token
taints=$3
[ "$taints" != - ] || taints=
register=$4
shift 4

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# What a mark says, without when.
body() { printf '%s\n' "${1%,\"createdAt\":*}"; }

# What there was of networks before the host became a node: it stays when the host is no node any more. What the bundle
# has begun by then is keelson's all the same.
note_before() {
    [ ! -e "$before" ] || return 0
    {
        for place in /etc/cni/net.d /var/lib/cni/networks /var/lib/cni/results; do
            find "$place" -mindepth 1 -maxdepth 1 2>/dev/null || :
        done
        ip -o link 2>/dev/null | awk -F ': ' '{ sub(/@.*/, "", $2); print "link " $2 }' || :
        nft list tables 2>/dev/null || :
        { iptables-save && ip6tables-save; } 2>/dev/null | sed -n 's/^:\(CNI-[^ ]*\).*/chain \1/p' || :
    } | grep -v -e '/10-keelson[.]conflist$' -e '^link keelson[01]$' -e ' keelson_pods$' | sort -u | write "$before"
}

write_mark() {
    old=
    [ ! -f "$mark" ] || IFS= read -r old <"$mark" || :
    if [ "$how" = make ] && [ "$(body "$old")" = "$(body "$new")" ]; then return 0; fi
    [ "$how" = make ] || [ -n "$old" ] || fail "this machine bears no mark of a $name any more"
    printf '%s\n' "$new" | write "$mark"
}

has_certificate() { [ -e /etc/kubernetes/kubelet.conf ] && [ -e /var/lib/kubelet/pki/kubelet-client-current.pem ]; }

# A kubelet registers when it starts, and tries until it has: it says so, and never does it again (`registerWithAPIServer` in
# its pkg/kubelet/kubelet_node_status.go). What one has said that has run for half a minute may be gone from the journal.
is_past_registering() {
    [ "$register" = register ] || return 1
    if [ "$(up_ms kubelet.service)" -ge 30000 ]; then return 0; fi
    journalctl --quiet --output=cat \
        "_SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value -- kubelet.service)" 2>/dev/null |
        grep -q -e 'Successfully registered node' -e 'Node was previously registered'
}

# kubelet reads its token when it starts, and needs none once it has a certificate.
write_token() {
    renewed=
    [ -n "$secret" ] || return 0
    if [ -f "$token" ] && printf '%s\n' "$secret" | cmp -s -- - "$token"; then return 0; fi
    printf 'keelson: write %s\n' "$token"
    [ -d /etc/kubernetes ] || mkdir -m 0755 -- /etc/kubernetes
    printf '%s\n' "$secret" | write "$token"
    has_certificate || renewed=yes
}

# A node is tainted from the moment it is there, so that no pod comes before its taints. A kubelet that runs is past that.
write_registration() {
    file=/etc/keelson/node.env
    [ -d /etc/keelson ] || mkdir -m 0755 -- /etc/keelson
    text="KEELSON_NODE_TAINTS=$taints"
    if [ ! -f "$file" ] || [ "$(cat "$file")" != "$text" ]; then printf '%s\n' "$text" | write "$file"; fi
}

start() {
    if ! systemctl is-active --quiet -- "$1"; then
        printf 'keelson: start %s\n' "$1"
    elif [ "$1" = kubelet.service ] && { [ -n "$renewed" ] || is_past_registering; }; then
        printf 'keelson: restart %s\n' "$1"
        systemctl restart -- "$1"
    fi
    systemctl enable --quiet -- "$1"
    start_unit "$1"
}

IFS= read -r new
secret=$(cat)
[ -f "$keelson_root/host.json" ] || fail "this machine bears no mark of keelson: it was never claimed, or was released"
for unit in "$@"; do
    systemctl cat -- "$unit" >/dev/null 2>&1 || fail "there is no $unit: the machine's node-bundle has not come"
done
[ "$name" = virtual-address ] || note_before
write_mark
write_token
[ "$name" != node ] || write_registration
for unit in "$@"; do
    start "$unit"
done
# Where the network is a routed one. A host that was no node for a while has it stopped.
if [ "$name" = node ] && systemctl cat -- keelson-routes.service >/dev/null 2>&1; then
    systemctl enable --quiet --now -- keelson-routes.service
fi
