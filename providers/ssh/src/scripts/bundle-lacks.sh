# shellcheck shell=sh
# Says what a host lacks of a bundle: a line `bundle` when its files are not there, and for each asset that is not, a line
# with its digest and how much of it came on an earlier try. Stands behind `fence.sh`.
#   $1       the bundle's digest, hexadecimal
#   $2 on    the digests of the assets that are carried here
digest=$1
shift
if [ ! -f "$keelson_root/host.json" ]; then
    echo "this machine bears no mark of keelson: it was never claimed, or was released" >&2
    exit 1
fi
mkdir -p -- "$keelson_root/bundles" "$keelson_root/assets"
[ -f "$keelson_root/bundles/$digest/apply" ] || echo bundle
for asset in "$@"; do
    [ ! -f "$keelson_root/assets/$asset" ] || continue
    size=0
    [ ! -f "$keelson_root/assets/$asset.upload" ] || size=$(stat -c %s -- "$keelson_root/assets/$asset.upload")
    printf '%s %s\n' "$asset" "$size"
done
