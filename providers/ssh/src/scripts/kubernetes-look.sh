# shellcheck shell=sh
# Says what a host is of its cluster, and how that is, as lines of a key, a tab and a value. Changes nothing.
#   $1     what is of interest: control-plane, virtual-address or node
#   $2     for how many fifths of a second to wait until everything answers
set -u
what=$1
patience=$2
root=/var/lib/keelson
pki=/etc/kubernetes/pki
kubectl=/opt/keelson/bin/kubectl
# Always in memory: a full disk must not keep anyone from seeing that it is full.
work=$(mktemp -d /run/keelson-look.XXXXXX) || exit 1
trap 'rm -rf -- "$work"' EXIT

fact() { printf '%s\t%s\n' "$1" "$2"; }
one_line() { tr '\n\t' '  ' | cut -c "1-$1"; }

# Asks an API server by the name that its certificate bears, at address $1 and port $2 for path $3.
ask_api() {
    if command -v curl >/dev/null 2>&1; then
        code=$(curl --silent --show-error --noproxy '*' --max-time 4 --cacert "$pki/ca.crt" \
            --resolve "kubernetes:$2:$1" --output "$work/body" --write-out '%{http_code}' \
            "https://kubernetes:$2$3" 2>"$work/errors") && [ "$code" = 200 ]
    else
        "$kubectl" --server="https://$1:$2" --certificate-authority="$pki/ca.crt" --tls-server-name=kubernetes \
            --request-timeout=4s get --raw "$3" >"$work/body" 2>"$work/errors"
    fi
}

# On loopback, where controller manager and scheduler show a certificate that they made for themselves.
ask_local() {
    if command -v curl >/dev/null 2>&1; then
        code=$(curl --silent --show-error --noproxy '*' --max-time 4 --insecure --output "$work/body" \
            --write-out '%{http_code}' "https://127.0.0.1:$1$2" 2>"$work/errors") && [ "$code" = 200 ]
    else
        "$kubectl" --server="https://127.0.0.1:$1" --insecure-skip-tls-verify --request-timeout=4s get --raw "$2" \
            >"$work/body" 2>"$work/errors"
    fi
}

# What whoever was asked last said: the checks that fail where it lists them.
why() {
    if [ -s "$work/errors" ]; then
        sed 's/^curl: ([0-9]*) //' "$work/errors" | one_line 300
    elif grep -q '^\[-\]' "$work/body" 2>/dev/null; then
        grep '^\[-\]' "$work/body" | sed 's/^\[-\]//' | one_line 300
    else
        printf 'it answers with status %s: ' "${code:-unknown}"
        one_line 200 <"$work/body" 2>/dev/null
    fi
}

# Runs the question and keeps the answer: `ok`, or why not.
keep() {
    name=$1
    shift
    : >"$work/body"
    : >"$work/errors"
    if "$@"; then echo ok >"$work/$name"; else why >"$work/$name"; fi
}

is_ok() { [ "$(cat -- "$work/$1" 2>/dev/null)" = ok ]; }

ask_all() {
    is_ok kube-apiserver || keep kube-apiserver ask_api 127.0.0.1 6443 /readyz
    is_ok kube-controller-manager || keep kube-controller-manager ask_local 10257 /healthz
    is_ok kube-scheduler || keep kube-scheduler ask_local 10259 /livez
    is_ok kube-apiserver && is_ok kube-controller-manager && is_ok kube-scheduler
}

control_plane() {
    until ask_all || [ "$patience" -le 0 ]; do
        sleep 0.2
        patience=$((patience - 1))
    done
    for name in kube-apiserver kube-controller-manager kube-scheduler; do
        fact health "$name $(cat -- "$work/$name")"
    done
}

# An IPv6 address stands in brackets where a port follows.
virtual_address() {
    address=$(marked_address "$root/virtual-address.json")
    case $address in
    *:*) place="[$address]" ;;
    *) place=$address ;;
    esac
    while :; do
        ip -o address show 2>/dev/null | awk '{ sub(/\/.*/, "", $4); print $4 }' >"$work/addresses"
        if grep -Fqx -- "$address" "$work/addresses"; then
            keep address ask_api "$place" 6443 /readyz
            if is_ok address; then break; fi
        fi
        [ "$patience" -gt 0 ] || break
        sleep 0.2
        patience=$((patience - 1))
    done
    if grep -Fqx -- "$address" "$work/addresses"; then
        fact holds "$address"
        fact health "address $(cat -- "$work/address")"
    fi
}

# As in facts.sh.
told=$(head -c 4096 -- "$root/instance" 2>/dev/null | head -n 1)
fact machine-id "${told:-$(head -c 4096 -- /etc/machine-id 2>/dev/null | head -n 1)}"
if [ -f "$root/$what.json" ]; then
    fact mark "$(head -c 65536 -- "$root/$what.json" | base64 | tr -d '\n')"
    for unit in containerd kubelet keelson-keepalived; do
        state=$(systemctl show --property=ActiveState --value -- "$unit.service" 2>/dev/null)
        fact unit "$unit ${state:-unknown}"
    done
    case $what in
    control-plane) control_plane ;;
    virtual-address) virtual_address ;;
    node)
        if [ -e /etc/kubernetes/kubelet.conf ] && [ -e /var/lib/kubelet/pki/kubelet-client-current.pem ]; then
            fact certificate yes
        fi
        ;;
    esac
fi
fact end end
