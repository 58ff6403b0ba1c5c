# shellcheck shell=sh
# Takes away what the bundle in force installed, or what one that failed left. Stands behind `fence.sh` and
# `bundle-incoming.sh`.
trap '' PIPE
remove_abandoned_secrets
for bundle in "$keelson_root/current" "$keelson_root"/bundles/*; do
    if [ -f "$bundle/apply" ]; then
        "$bundle/apply" remove 8>&- </dev/null
        break
    fi
done
if [ -s "$keelson_root/installed" ] || [ -f "$keelson_root/bundle.json" ]; then
    echo "what keelson installed is still there, and the script that removes it is not: see $keelson_root/installed" >&2
    exit 1
fi
