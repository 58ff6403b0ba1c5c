# shellcheck shell=sh
# Where the manifests of a control plane lie while it is held, and whose they are. Stands behind `fence.sh`.

manifests=/etc/kubernetes/manifests
held=/var/lib/keelson/held

# True where a cluster has claimed this host: this one, or `fence.sh` had let nobody in.
is_claimed() { [ -f "$keelson_root/host.json" ]; }

# True where what is held was held of this cluster.
is_own_held() { grep -Fqsx -- "$keelson_uid" "$held/cluster"; }

# Takes away what was held of another cluster, whose this host was. A keelson of before did not write down of whom it was: it is this
# cluster's where the host was claimed before it was held.
keep_own_held() {
    if [ -d "$held" ] && [ ! -e "$held/cluster" ] &&
        [ -n "$(find "$held" -maxdepth 0 -newer "$keelson_root/host.json")" ]; then
        bear_cluster
    fi
    is_own_held || rm -rf -- "$held"
}

# Writes down whose it is, before anything is held.
bear_cluster() {
    printf '%s\n' "$keelson_uid" | cat >"$held/cluster"
    sync -- "$held/cluster" "$held" "$keelson_root"
}
