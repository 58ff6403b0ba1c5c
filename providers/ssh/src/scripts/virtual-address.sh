# shellcheck shell=sh
# Stands before scripts that have to do with the virtual address.

# The address that the mark in the file `$1` names; nothing where there is none.
marked_address() { sed -n '1s/.*"resource":{"address":"\([0-9a-fA-F.:]*\)".*/\1/p' "$1"; }
