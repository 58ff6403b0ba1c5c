# shellcheck shell=sh
# Lets a host go: takes away what its bundle installed, then everything of keelson, the mark last, so that a release that
# was interrupted is begun again. Stands behind `fence.sh`, which has seen that the host belongs to no other cluster.

# The bundle in force, or one that failed before it ever was.
for bundle in "$keelson_root/current" "$keelson_root"/bundles/*; do
    if [ -f "$bundle/apply" ]; then
        # It has to hold no lock of ours when it starts something.
        sh "$bundle/apply" remove 8>&-
        break
    fi
done
if [ -s "$keelson_root/installed" ]; then
    echo "what keelson installed is still there, and the script that removes it is not: see $keelson_root/installed" >&2
    exit 1
fi
printf 'keelson: remove %s\n' "$keelson_root"
find "$keelson_root" -xdev -mindepth 1 -maxdepth 1 ! -name host.json ! -name fence ! -name fence.lock \
    -exec rm -rf --one-file-system -- {} +
rm -f -- "$keelson_root/host.json"
sync -- "$keelson_root"
rm -rf --one-file-system -- "$keelson_root"
