# shellcheck shell=sh
# Lets a host go: takes away everything of keelson, the mark last, so that a release that was interrupted is begun again.
# Stands behind `fence.sh`, which has seen that the host belongs to no other cluster, and `bundle-remove.sh`.
printf 'keelson: remove %s\n' "$keelson_root"
(
    cd -- "$keelson_root"
    rm -rf --one-file-system -- aside assets backups bundles held iptables-undo kubernetes-before snapshots work.*
    rm -f -- awaited bundle.json control-plane.json current etcd-*.json files installed lock node.json owns-containerd \
        previous restarts unpacked virtual-address.json was-node ./*.new ./*.keelson-new ./host.json.*
)
rm -f -- "$keelson_root/host.json"
sync -- "$keelson_root"
rm -f -- "$keelson_root/fence" "$keelson_root/fence.lock"
# Who has put something there finds it.
rmdir -- "$keelson_root" 2>/dev/null || printf 'keelson: leave %s: there is more in it than keelson made\n' "$keelson_root"
