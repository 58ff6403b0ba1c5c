# shellcheck shell=sh
# Stands before scripts that write what is large.

# The folder `$1`, or where that is not there yet, the one that it comes into.
there_of() {
    if [ -d "$1" ]; then printf '%s\n' "$1"; else dirname -- "$1"; fi
}

# Ends with 24 where fewer than `$2` KiB are free on the disk of the folder `$1`, which may not be there yet.
need_room() {
    free=$(df -Pk -- "$(there_of "$1")" | awk 'END { print $4 }')
    # Where nobody can say how much is free, none is known to be.
    free=${free:-0}
    if [ "$free" -lt "$2" ]; then
        echo "$free KiB are free on the disk of $1, $2 are needed" >&2
        exit 24
    fi
}
