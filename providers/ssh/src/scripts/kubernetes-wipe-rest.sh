# shellcheck shell=sh
# Takes away what is left of a node when its programs are gone. Stands behind `kubernetes-undo.sh` and `bundle-remove.sh`.
if [ -e "$keelson_root/owns-containerd" ]; then
    # They outlive the runtime on purpose.
    pkill -KILL -f '^[^ ]*containerd-shim-runc-v2 -namespace k8s\.io ' 2>/dev/null || :
    unmount_below /run/containerd
    empty /var/lib/containerd
    for namespace in /run/netns/cni-*; do
        [ -e "$namespace" ] || continue
        umount -- "$namespace" 2>/dev/null || :
        rm -f -- "$namespace"
    done
    rm -rf --one-file-system -- /run/containerd
    rmdir -- /var/lib/containerd /opt/containerd/bin /opt/containerd/lib /opt/containerd 2>/dev/null || :
fi
if [ -e "$keelson_root/was-node" ]; then
    unmount_below /var/lib/kubelet
    empty /var/lib/kubelet
    rmdir -- /var/lib/kubelet 2>/dev/null || :
    rm -rf -- /run/keelson
    empty /var/log/pods
    empty /var/log/containers
    empty /var/log/kubernetes/audit
    rmdir -- /var/log/pods /var/log/containers /var/log/kubernetes/audit /var/log/kubernetes 2>/dev/null || :
    rmdir -- /etc/kubernetes/manifests /etc/kubernetes/pki /etc/kubernetes 2>/dev/null || :
    # Kubelet makes it for plugins that nobody has put there (`volumePluginDir` of a KubeletConfiguration).
    (cd /usr/libexec 2>/dev/null && rmdir -p -- kubernetes/kubelet-plugins/volume/exec 2>/dev/null) || :
fi
