# shellcheck shell=sh
# Ends the control plane on a host. Stands behind `fence.sh` and `kubernetes-undo.sh`. The manifests of its pods are the
# bundle's. Where the host remains a node its kubelet goes on, and ends the pods when their manifests go.
[ -f "$keelson_root/control-plane.json" ] || exit 0
if [ ! -f "$keelson_root/node.json" ]; then
    stop_kubelet
    stop_pods
fi
rm -f -- "$keelson_root/control-plane.json"
sync -- "$keelson_root"
