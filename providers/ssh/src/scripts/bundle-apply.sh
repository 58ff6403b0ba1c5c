# shellcheck shell=sh
# Takes in secrets and puts a bundle in force. The last line on stdout is the record of the bundle that is in force then,
# base64. Stands behind `fence.sh`.
#   $1     the bundle's digest, hexadecimal
#   stdin  a tar archive of the secrets
incoming=$keelson_root/incoming
# Whoever listened may be gone: a bundle is put in force whole, or not at all.
trap '' PIPE
trap 'rm -rf -- "$incoming"' EXIT
trap 'exit 143' TERM
rm -rf -- "$incoming"
mkdir -- "$incoming"
tar -x --no-same-owner --no-same-permissions -C "$incoming" -f -
cd -- "$keelson_root/bundles/$1"
# Nothing that it starts has to hold the lock.
./apply apply 8>&- </dev/null
base64 <"$keelson_root/bundle.json" | tr -d '\n'
