# shellcheck shell=sh
# Lets the API server on this host run again that `api-server-hold.sh` stopped. Stands behind `fence.sh`.

manifests=/etc/kubernetes/manifests
held=/var/lib/keelson/held/kube-apiserver.yaml

[ -f "$held" ] || exit 0
# A kubelet reads no file whose name begins with a dot: it never sees half of it.
cp -p -- "$held" "$manifests/.kube-apiserver.yaml"
sync -- "$manifests/.kube-apiserver.yaml"
mv -f -- "$manifests/.kube-apiserver.yaml" "$manifests/kube-apiserver.yaml"
rm -f -- "$held"
rmdir -- /var/lib/keelson/held 2>/dev/null || :
