# shellcheck shell=sh
# Takes the virtual address away from a host. Stands behind `fence.sh` and `kubernetes-undo.sh`.
leave_virtual_address
sync -- "$keelson_root"
