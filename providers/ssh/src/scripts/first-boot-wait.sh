# shellcheck shell=sh
# Waits until this machine's first boot has put its bundle in force (templates/first-boot), and tells meanwhile what that does.
# Ends with 27 where it does not come to its end.
#   $1  for so many seconds at most
told=''
waited=0
while [ ! -f /var/lib/keelson/first-boot.done ]; do
    last=$(journalctl --unit keelson-first-boot.service --output cat --lines 1 --no-pager 2>/dev/null | head -c 300) || last=''
    case $last in
    "$told") ;;
    'keelson: '*) printf '%s\n' "$last" ;;
    esac
    told=$last
    if [ "$waited" -ge "$1" ]; then
        journalctl --unit keelson-first-boot.service --output cat --lines 8 --no-pager >&2 || :
        exit 27
    fi
    sleep 1
    waited=$((waited + 1))
done
