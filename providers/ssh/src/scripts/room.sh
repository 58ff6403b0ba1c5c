# shellcheck shell=sh
# Stands before scripts that write what is large.

# Ends with 24 where fewer than `$2` KiB are free on the disk of the folder `$1`, which may not be there yet.
need_room() {
    there=$1
    [ -d "$there" ] || there=$(dirname -- "$there")
    free=$(df -Pk -- "$there" | awk 'END { print $4 }')
    if [ "$free" -lt "$2" ]; then
        echo "$free KiB are free on the disk of $1, $2 are needed" >&2
        exit 24
    fi
}
