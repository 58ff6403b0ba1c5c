# shellcheck shell=sh
# Says what a host runs of Kubernetes just now, as lines of a key, a tab and a value. Changes nothing. Stands behind `unit.sh`.
set -u
root=/var/lib/keelson
crictl=/opt/keelson/bin/crictl

fact() { printf '%s\t%s\n' "$1" "$2"; }

# A kubelet that does not like its settings ends at once, and systemd begins it again.
is_steady() {
    systemctl is-active --quiet -- kubelet.service && [ "$(up_ms kubelet.service)" -ge 3000 ]
}

if [ -f "$root/control-plane.json" ] || [ -f "$root/node.json" ]; then
    fact node yes
    if is_steady; then fact steady yes; fi
    for manifest in /etc/kubernetes/manifests/*.yaml; do
        [ -f "$manifest" ] || continue
        name=$(basename -- "$manifest" .yaml)
        fact manifest "$name $(sha256sum -- "$manifest" | cut -d ' ' -f 1)"
        timeout 10 "$crictl" pods --quiet --state ready --namespace kube-system --name "^$name-" 2>/dev/null |
            while IFS= read -r pod; do
                # Without a container what is said of containers is still that of the pod before.
                [ -z "$(timeout 10 "$crictl" ps --quiet --all --pod "$pod" 2>/dev/null </dev/null)" ] || fact pod "$name $pod"
            done
    done
fi
fact end end
