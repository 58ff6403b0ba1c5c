# shellcheck shell=sh
# Where the manifests of a control plane lie while it is held, and whose they are. Stands behind `fence.sh`.

manifests=/etc/kubernetes/manifests
held=/var/lib/keelson/held

# Takes away what was held of another cluster, whose this host was. A keelson of before did not write down of whom it was: it is this
# cluster's where the host was claimed before it was held.
keep_own_held() {
    if [ -d "$held" ] && [ ! -e "$held/cluster" ] &&
        [ -n "$(find "$held" -maxdepth 0 -newer "$keelson_root/host.json" 2>/dev/null)" ]; then
        bear_cluster
    fi
    grep -Fqsx -- "$keelson_uid" "$held/cluster" || rm -rf -- "$held"
}

# Writes down whose it is, before anything is held.
bear_cluster() {
    printf '%s\n' "$keelson_uid" | cat >"$held/cluster"
    sync -- "$held/cluster" "$held"
}
