# shellcheck shell=sh
# Takes off a host that is let go what it was of a cluster's Kubernetes, while the programs for that are still there. Stands
# behind `fence.sh` and `kubernetes-undo.sh`.

# True where everything in containerd is this cluster's: keelson brought it, and nobody else keeps anything there.
owns_containerd() {
    is_installed unit containerd.service || return 1
    [ ! -e "$keelson_root/aside/etc/systemd/system/containerd.service" ] || return 1
    for namespace in /var/lib/containerd/io.containerd.runtime.v2.task/*; do
        case ${namespace##*/} in
        k8s.io | '*') ;;
        *) return 1 ;;
        esac
    done
    for ctr in /opt/keelson/bin/ctr /usr/bin/ctr /usr/local/bin/ctr; do
        [ -x "$ctr" ] || continue
        if timeout 20 "$ctr" namespaces list --quiet 2>/dev/null | grep -qvFx k8s.io; then return 1; fi
        return 0
    done
}

# In a runtime of someone else only what is in kubelet's namespace goes.
remove_images() {
    runtime_answers || return 0
    say "remove images of pods"
    timeout 300 "$crictl" rmi --all >/dev/null 2>&1 || :
}

leave_virtual_address
if is_node; then
    if owns_containerd; then : >"$keelson_root/owns-containerd"; fi
    leave_node
    [ -e "$keelson_root/owns-containerd" ] || remove_images
    : >"$keelson_root/was-node"
    rm -f -- "$keelson_root/control-plane.json"
fi
