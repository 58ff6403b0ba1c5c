# shellcheck shell=sh
# Variables: none. What a machine of a group does, beyond what others do: such machines are all told the same, and nobody comes to
# them. So each finds out by itself what is its own, and becomes a node without being asked
# (`kubernetes-begin.sh` in `providers/ssh/src/scripts/` is how others do).
# shellcheck disable=SC2154 # they are set by the settings, and by what instance metadata tells

# Writes into the bundle in `$1` what is the machine's own, as `templates/node/host.env.hbs` has it.
write_own_files() {
    [ -n "$joins" ] || return 0
    case $address in
    '' | *[!0-9.]*) fail "instance metadata tells no address of this machine: $address" ;;
    esac
    own=$1/files/etc/keelson
    mkdir -p -- "$own"
    write_file "$own/host.env" 644 <<END
# What is this machine's own. Units of keelson read it.
KEELSON_HOST_NAME=$name
KEELSON_HOST_ADDRESS=$address
KEELSON_HOST_URL_ADDRESS=$address
END
}

# Makes the machine a node. Its kubelet registers it by itself, with its labels and taints from the first moment on.
join_cluster() {
    [ -n "$joins" ] || return 0
    write_file /etc/keelson/node.env 644 <<END
KEELSON_NODE_LABELS=$node_labels
KEELSON_NODE_TAINTS=$node_taints
END
    say 'start the kubelet'
    for of_node in containerd.service kubelet.service; do
        systemctl enable --quiet -- "$of_node"
        systemctl start --no-block -- "$of_node"
    done
}
