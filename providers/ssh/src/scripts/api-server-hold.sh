# shellcheck shell=sh
# Stops the API server on this host, if it has one, and keeps it stopped also when the host is started anew: its manifest is
# put where no kubelet looks. Stands behind `fence.sh`.

manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
held=/var/lib/keelson/held/kube-apiserver.yaml

if [ -f "$manifest" ]; then
    mkdir -p -- /var/lib/keelson/held
    cp -p -- "$manifest" "$held.new"
    sync -- "$held.new"
    mv -f -- "$held.new" "$held"
    rm -f -- "$manifest"
fi
[ -f "$held" ] || exit 0

# The numbers of processes of that name, also where neither kubelet nor containerd runs any more.
servers() {
    for comm in /proc/[0-9]*/comm; do
        if [ "$(cat -- "$comm" 2>/dev/null)" = kube-apiserver ]; then
            process=${comm#/proc/}
            echo "${process%/comm}"
        fi
    done
}

# kubelet ends it, within the time that its pod has; where it does not, it is ended here.
count=0
while [ -n "$(servers)" ]; do
    count=$((count + 1))
    if [ "$count" -gt 90 ]; then
        echo "the API server does not end: process $(servers | tr '\n' ' ')" >&2
        exit 1
    elif [ "$count" -ge 50 ] || ! systemctl is-active --quiet kubelet.service; then
        for process in $(servers); do
            kill -TERM "$process" 2>/dev/null || :
        done
    fi
    sleep 1
done
