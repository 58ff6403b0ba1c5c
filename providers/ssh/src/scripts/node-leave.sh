# shellcheck shell=sh
# Ends the node on a host. Stands behind `fence.sh` and `kubernetes-undo.sh`. A second time there is nothing to do.
[ -f "$keelson_root/node.json" ] || exit 0
leave_node
