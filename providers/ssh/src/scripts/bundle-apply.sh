# shellcheck shell=sh
# Takes in secrets and puts a bundle in force. The last line on stdout is the record of the bundle that is in force then,
# base64. Stands behind `fence.sh` and `bundle-incoming.sh`.
#   $1       the bundle's digest, hexadecimal
#   $2 on    the names of the secrets
#   stdin    a tar archive of the secrets
# Whoever listened may be gone: a bundle is put in force whole, or not at all.
trap '' PIPE
incoming=
trap '[ -z "$incoming" ] || rm -rf -- "$incoming"' EXIT
trap 'exit 143' TERM
remove_abandoned_secrets
# A script of the same run whose connection was lost may go on still: what came for it stays its own.
make_incoming
tar -x --no-same-owner --no-same-permissions -C "$incoming" -f -
cd -- "$keelson_root/bundles/$1"
shift
# Nothing that it starts has to hold the lock.
./apply apply "$incoming" "$@" 8>&- </dev/null
base64 <"$keelson_root/bundle.json" | tr -d '\n'
