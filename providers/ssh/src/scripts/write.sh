# shellcheck shell=sh
# Stands before scripts that keep something in files.

# Makes what comes from stdin the file `$1`: in one step, and on the disk before the next one.
write() {
    cat >"$1.new"
    sync -- "$1.new"
    mv -f -- "$1.new" "$1"
    sync -- "$(dirname -- "$1")"
}
