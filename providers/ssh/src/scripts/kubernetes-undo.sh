# shellcheck shell=sh
# Takes Kubernetes off a host: functions for the scripts that come next. Stands behind `fence.sh`. What was there before
# the host became a node (`kubernetes-before`), and what no name tells to be of Kubernetes, stays.
before=$keelson_root/kubernetes-before
crictl=/opt/keelson/bin/crictl
tab=$(printf '\t')

say() { printf 'keelson: %s\n' "$*" || :; }

# True for what keelson's bundle put there.
is_installed() { grep -Fqx -- "$1$tab$2" "$keelson_root/installed" 2>/dev/null; }

was_before() { grep -Fqx -- "$1" "$before" 2>/dev/null; }

# True where kubelet is this cluster's. Someone else's is never touched.
is_node() {
    [ -f "$keelson_root/node.json" ] || [ -f "$keelson_root/control-plane.json" ] || is_installed unit kubelet.service
}

# First of all, or it would start anew what ends.
stop_kubelet() {
    if systemctl is-active --quiet -- kubelet.service; then say "stop kubelet.service"; fi
    systemctl disable --quiet --now -- kubelet.service 2>/dev/null || systemctl stop -- kubelet.service 2>/dev/null || :
    systemctl reset-failed -- kubelet.service 2>/dev/null || :
}

runtime_answers() {
    [ -x "$crictl" ] || return 1
    systemctl start -- containerd.service 2>/dev/null || :
    timeout 20 "$crictl" version >/dev/null 2>&1
}

# Containers are asked to end first, all at once; then pods go, and with them their networks.
stop_pods() {
    if runtime_answers; then
        if [ -n "$(timeout 30 "$crictl" pods --quiet 2>/dev/null)" ]; then say "stop pods"; fi
        timeout 60 "$crictl" ps --quiet 2>/dev/null |
            timeout 90 xargs -r -n 1 -P 16 "$crictl" --timeout 30s stop --timeout 10 >/dev/null 2>&1 || :
        timeout 120 "$crictl" rmp --force --all >/dev/null 2>&1 || :
    fi
    # What a runtime that does not answer has left.
    systemctl stop -- kubepods.slice 2>/dev/null || :
    for group in /sys/fs/cgroup/kubepods* /sys/fs/cgroup/*/kubepods*; do
        [ -d "$group" ] || continue
        find "$group" -name cgroup.procs 2>/dev/null | while IFS= read -r list; do
            while read -r process; do kill -KILL "$process" 2>/dev/null || :; done <"$list"
        done
        find "$group" -depth -type d -exec rmdir -- {} + 2>/dev/null || :
    done
}

# Everything that is mounted below $1, the last first.
unmount_below() {
    awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sed '1!G;h;$!d' |
        while IFS= read -r escaped; do
            place=$(printf '%b' "$escaped")
            umount -- "$place" 2>/dev/null || umount --lazy -- "$place" 2>/dev/null || :
        done
}

# Empties $1, and leaves the folder where it is a disk of its own.
empty() {
    [ -d "$1" ] || return 0
    say "empty $1"
    unmount_below "$1"
    find "$1" -xdev -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system -- {} +
}

# The bundle's files stay, so that the bundle is whole; secrets go, and come again with the next one.
empty_kubelet() {
    [ -d /var/lib/kubelet ] || return 0
    say "empty /var/lib/kubelet"
    unmount_below /var/lib/kubelet
    rm -rf --one-file-system -- /var/lib/kubelet/pki
    find /var/lib/kubelet -xdev -mindepth 1 -maxdepth 1 | while IFS= read -r entry; do
        if ! grep -q -- "^file$tab$entry" "$keelson_root/installed" 2>/dev/null; then
            rm -rf --one-file-system -- "$entry"
        fi
    done
    for file in /etc/kubernetes/bootstrap-token /etc/kubernetes/kubelet.conf /etc/keelson/node.env; do
        is_installed file "$file" || rm -f -- "$file"
    done
    is_installed directory /etc/keelson || rmdir -- /etc/keelson 2>/dev/null || :
}

remove_since() {
    find "$1" -mindepth 1 -maxdepth 1 2>/dev/null | while IFS= read -r entry; do
        if ! was_before "$entry" && ! is_installed file "$entry"; then
            rm -rf --one-file-system -- "$entry"
        fi
    done
}

# The bridges that configurations of plugins name, which came since: whatever made one of them, it was for pods.
bridges_of_pods() {
    find /etc/cni/net.d -mindepth 1 -maxdepth 1 -type f 2>/dev/null | while IFS= read -r entry; do
        was_before "$entry" || grep -Eo '"bridge"[[:space:]]*:[[:space:]]*"[A-Za-z0-9._-]+"' -- "$entry"
    done | sed 's/.*"\([^"]*\)"$/\1/' | sort -u
}

remove_links() {
    for link in cni0 keelson0 keelson1 cbr0 kube-ipvs0 nodelocaldns flannel.1 vxlan.calico cilium_host cilium_net cilium_vxlan \
        $(bridges_of_pods); do
        if ip link show dev "$link" >/dev/null 2>&1 && ! was_before "link $link"; then
            say "remove network device $link"
            ip link delete dev "$link" 2>/dev/null || :
        fi
    done
}

remove_nft_tables() {
    command -v nft >/dev/null 2>&1 || return 0
    nft list tables 2>/dev/null | while read -r _ family name; do
        case $name in
        keelson_* | kube-proxy | cni_hostport | cni_plugins_masquerade)
            was_before "table $family $name" || nft delete table "$family" "$name" 2>/dev/null || :
            ;;
        esac
    done
}

# From the output of iptables-save: rules elsewhere that lead to Kubernetes' chains go, then the chains, in one step.
iptables_undo() {
    awk -v before="$1" '
        function ours(chain) { return chain ~ /^KUBE-/ || (chain ~ /^CNI-/ && !(chain in there)) }
        function leads(    i) { for (i = 3; i < NF; i++) if ($i == "-j" || $i == "-g") return $(i + 1); return "" }
        function finish(    i) {
            for (i = 0; i < rules; i++) print rule[i]
            for (i = 0; i < chains; i++) print "-F " chain[i]
            for (i = 0; i < chains; i++) print "-X " chain[i]
            print "COMMIT"
        }
        BEGIN { while ((getline line < before) > 0) if (sub(/^chain /, "", line)) there[line] = 1 }
        /^\*/ { print; rules = 0; chains = 0 }
        /^:/ { name = substr($1, 2); if (ours(name)) chain[chains++] = name }
        /^-A/ { if (!ours($2) && ours(leads())) { sub(/^-A/, "-D"); rule[rules++] = $0 } }
        /^COMMIT/ { finish() }'
}

remove_iptables_chains() {
    for family in iptables ip6tables iptables-legacy ip6tables-legacy; do
        command -v "$family-save" >/dev/null 2>&1 || continue
        "$family-save" 2>/dev/null | iptables_undo "$before" >"$keelson_root/iptables-undo"
        if grep -q '^-' "$keelson_root/iptables-undo"; then
            "$family-restore" --noflush <"$keelson_root/iptables-undo" 2>/dev/null || :
        fi
        rm -f -- "$keelson_root/iptables-undo"
    done
}

remove_networks() {
    say "remove networks of pods"
    # It would set its routes anew.
    systemctl disable --quiet --now -- keelson-routes.service 2>/dev/null || :
    rm -rf -- /var/lib/keelson-routes
    # Before the configurations that name them.
    remove_links
    remove_since /etc/cni/net.d
    remove_since /var/lib/cni/networks
    remove_since /var/lib/cni/results
    rmdir -- /var/lib/cni/networks /var/lib/cni/results /var/lib/cni 2>/dev/null || :
    # The number under which keelson's routes are known.
    ip route flush proto 76 2>/dev/null || :
    ip -6 route flush proto 76 2>/dev/null || :
    remove_nft_tables
    remove_iptables_chains
}

# keepalived takes the address along unless it was killed. What it gives an interface is the address alone, without a network
# (keelson-keepalived.service is told so): with another length it is the host's own, and stays.
leave_virtual_address() {
    [ -f "$keelson_root/virtual-address.json" ] || return 0
    say "stop keelson-keepalived.service"
    systemctl disable --quiet --now -- keelson-keepalived.service 2>/dev/null ||
        systemctl stop -- keelson-keepalived.service 2>/dev/null || :
    systemctl reset-failed -- keelson-keepalived.service 2>/dev/null || :
    address=$(marked_address "$keelson_root/virtual-address.json")
    if [ -n "$address" ]; then
        case $address in
        *:*) held=$address/128 ;;
        *) held=$address/32 ;;
        esac
        ip -o address show 2>/dev/null | awk -v held="$held" '$4 == held { print $2 }' |
            while read -r device; do ip address delete "$held" dev "$device" 2>/dev/null || :; done
    fi
    rm -f -- "$keelson_root/virtual-address.json"
}

leave_node() {
    is_node || return 0
    stop_kubelet
    stop_pods
    empty_kubelet
    remove_networks
    # The marks go last: whoever comes back to finish this needs them.
    sync -- "$keelson_root"
    rm -f -- "$before" "$keelson_root/node.json"
}
