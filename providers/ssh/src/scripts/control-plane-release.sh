# shellcheck shell=sh
# Lets what `control-plane-hold.sh` stopped on this host run again. Stands behind `fence.sh` and `held.sh`.

# Where the claim has gone, what was held of this cluster comes to its place all the same, and all else is somebody else's.
if is_claimed; then
    keep_own_held
elif ! is_own_held || [ ! -d "$manifests" ]; then
    exit 0
fi
for name in kube-apiserver kube-controller-manager kube-scheduler; do
    [ -f "$held/$name.yaml" ] || continue
    # A kubelet reads no file whose name begins with a dot: it never sees half of it.
    cp -p -- "$held/$name.yaml" "$manifests/.$name.yaml"
    sync -- "$manifests/.$name.yaml"
    mv -f -- "$manifests/.$name.yaml" "$manifests/$name.yaml"
    # On its disk before the other one goes, which may be on another.
    sync -- "$manifests"
    rm -f -- "$held/$name.yaml"
done
rm -rf -- "$held"
