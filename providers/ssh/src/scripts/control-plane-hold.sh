# shellcheck shell=sh
# Stops what a control plane runs on this host, if it is one, and keeps it stopped also when the host is started anew: the
# manifests are put where no kubelet looks. Stands behind `fence.sh` and `held.sh`.

# The spec may name a host that was never this cluster's: what runs there is somebody else's.
is_claimed || exit 0
keep_own_held
for name in kube-apiserver kube-controller-manager kube-scheduler; do
    [ -f "$manifests/$name.yaml" ] || continue
    if [ ! -d "$held" ]; then
        mkdir -p -- "$held"
        bear_cluster
    fi
    cp -p -- "$manifests/$name.yaml" "$held/$name.new"
    sync -- "$held/$name.new"
    mv -f -- "$held/$name.new" "$held/$name.yaml"
    # On its disk before the other one goes, which may be on another.
    sync -- "$held"
    rm -f -- "$manifests/$name.yaml"
done
[ -d "$held" ] || exit 0

# The numbers of their processes, also where neither kubelet nor containerd runs any more. The kernel keeps 15 letters of a
# name, which others begin with too; a program of that very name in a network of its own is of a cluster that runs in pods or
# containers of this host.
running() {
    network=$(readlink /proc/self/ns/net)
    for comm in /proc/[0-9]*/comm; do
        case $(cat -- "$comm" 2>/dev/null) in
        kube-apiserver | kube-controller | kube-scheduler) ;;
        *) continue ;;
        esac
        folder=${comm%/comm}
        program=$(tr '\0' '\n' <"$folder/cmdline" 2>/dev/null | head -n 1)
        case ${program##*/} in
        kube-apiserver | kube-controller-manager | kube-scheduler) ;;
        *) continue ;;
        esac
        [ "$(readlink "$folder/ns/net")" = "$network" ] && echo "${folder#/proc/}"
    done
}

# kubelet ends them; where it does not run, they are ended here. They keep nothing of their own, and an API server whose etcd is
# gone waits for it for a minute before it goes: nobody has to wait for that.
count=0
while [ -n "$(running)" ]; do
    count=$((count + 1))
    signal=""
    if [ "$count" -gt 60 ]; then
        echo "what the control plane runs does not end: process $(running | tr '\n' ' ')" >&2
        exit 1
    elif [ "$count" -ge 15 ]; then
        signal=KILL
    elif ! systemctl is-active --quiet kubelet.service; then
        signal=TERM
    fi
    if [ -n "$signal" ]; then
        for process in $(running); do
            kill -s "$signal" "$process" 2>/dev/null || :
        done
    fi
    sleep 1
done
