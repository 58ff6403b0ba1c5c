# shellcheck shell=sh
# Says what lies on a host of certificates and keys that no record of a bundle names, as lines of a key, a tab and a value.
# Changes nothing.
#   $1 on  the paths of certificates, `keys`, and the paths of private keys
set -u
root=/var/lib/keelson

fact() { printf '%s\t%s\n' "$1" "$2"; }

while [ "$#" -gt 0 ] && [ "$1" != keys ]; do
    [ ! -f "$1" ] || fact certificate "$1 $(head -c 65536 -- "$1" |
        sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' | base64 | tr -d '\n')"
    shift
done
[ "$#" -eq 0 ] || shift
for path in "$@"; do
    [ -s "$path" ] || fact missing-key "$path"
done
# What was to come with a first bundle that was cut short, and of which nobody knows how much has.
[ ! -f "$root/awaited" ] || head -n 128 -- "$root/awaited" | while IFS= read -r path; do
    [ -z "$path" ] || fact missing-key "$path"
done
fact end end
