# shellcheck shell=sh
# Marks a host as a machine of a cluster, or changes what the mark says. Stands behind `fence.sh`, which has seen that the
# host belongs to no other cluster. Says the host's machine-id on stdout.
#   $1     claim, or update
#   $2     the machine's name
#   stdin  the mark, one line of JSON that begins with the cluster's uid
how=$1
name=$2
mark=$keelson_root/host.json
new=$mark.$$

# True when the mark that is there is of the machine `name`; its owner is known to be this cluster.
is_same_machine() { sed -n '1s/^{[^{]*"name":"\([^"]*\)".*/\1/p' "$mark" | grep -Fqx -- "$name"; }

refuse_other_machine() {
    is_same_machine && return 0
    echo "this machine is in the cluster already, under another name: $(head -c 400 "$mark")" >&2
    exit 1
}

trap 'rm -f -- "$new"' EXIT
# Whoever sent it may be gone before all of it has come.
IFS= read -r text || text=
case $text in
'{'*'}') ;;
*)
    echo "the mark did not come whole" >&2
    exit 1
    ;;
esac
printf '%s\n' "$text" | cat >"$new"
sync -- "$new"
case $how in
claim)
    # Of two that try at the same time, one makes the link.
    if ! ln -- "$new" "$mark" 2>"$new.why"; then
        if [ ! -f "$mark" ]; then
            cat -- "$new.why" >&2
            rm -f -- "$new.why"
            exit 1
        fi
        rm -f -- "$new.why"
        keelson_compare
        refuse_other_machine
    fi
    rm -f -- "$new.why"
    ;;
update)
    if [ ! -f "$mark" ]; then
        echo "this machine bears no mark of keelson any more" >&2
        exit 1
    fi
    refuse_other_machine
    mv -f -- "$new" "$mark"
    ;;
esac
sync -- "$keelson_root"
cat /etc/machine-id
