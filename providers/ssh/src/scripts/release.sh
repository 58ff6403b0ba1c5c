# shellcheck shell=sh
# Lets a host go: takes away everything of keelson, the mark last, so that a release that was interrupted is begun again.
# Stands behind `fence.sh`, which has seen that the host belongs to no other cluster, and `bundle-remove.sh`.
printf 'keelson: remove %s\n' "$keelson_root"
find "$keelson_root" -xdev -mindepth 1 -maxdepth 1 ! -name host.json ! -name fence ! -name fence.lock \
    -exec rm -rf --one-file-system -- {} +
rm -f -- "$keelson_root/host.json"
sync -- "$keelson_root"
rm -rf --one-file-system -- "$keelson_root"
