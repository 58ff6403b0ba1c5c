#!/usr/bin/env bash
# The power supply of one test host: boots it, boots it again when it asked for a reboot, and ends when it is off.
#
# Runs in a session of its own, so that hosts outlive whoever started them until the lab is taken down.
# Expects in the environment:
#   LAB_RECORD     folder of the lab's record: scripts, `hierarchies` of cgroups, network of the switch
#   LAB_NAME       name of the lab
#   HOST_NAME      name of the host; HOST_RECORD is its folder below the lab's record
#   HOST_MEMORY    limit of memory in bytes, or empty
# and what init.sh expects.
set -uo pipefail

# A host that reboots for ever would never be noticed: it ends here.
readonly BOOTS_LIMIT=100
# How a PID namespace says that its first process called reboot(2): by SIGHUP, which a shell counts as 128 + 1.
readonly ENDED_BY_REBOOT=129

# $1: mount point of a hierarchy, $2: folder below it. A cpuset starts empty, and nothing runs in an empty one.
make_cgroup() {
    local folder=$1 part file
    while read -r -d / part; do
        folder+=/$part
        mkdir -p "$folder"
        for file in cpuset.cpus cpuset.mems; do
            [[ ! -e $folder/$file || -e $(dirname "$folder")/cgroup.controllers ]] ||
                cat "$(dirname "$folder")/$file" >"$folder/$file"
        done
    done <<<"$2/"
}

# Version 2 hands controllers down only where it is told to, folder by folder.
delegate() {
    local folder controllers controller
    for folder in "$1" "$1/keelson-$LAB_NAME"; do
        [[ -e $folder/cgroup.controllers ]] || continue
        read -r controllers <"$folder/cgroup.controllers"
        for controller in $controllers; do
            echo "+$controller" >"$folder/cgroup.subtree_control" || true
        done
    done 2>/dev/null
}

# Makes folder $1 of the lab in every hierarchy.
make_cgroups() {
    local mount_point
    while read -r _ mount_point _; do
        make_cgroup "$mount_point" "keelson-$LAB_NAME/$1"
        delegate "$mount_point"
    done <"$LAB_RECORD/hierarchies"
}

# Moves this shell beside the hosts.
enter_supervisors() {
    local mount_point
    while read -r _ mount_point _; do
        echo $$ >"$mount_point/keelson-$LAB_NAME/supervisors/cgroup.procs" || return 1
    done <"$LAB_RECORD/hierarchies"
}

limit_memory() {
    local mount_point folder
    [[ -n $HOST_MEMORY ]] || return 0
    while read -r _ mount_point _; do
        folder=$mount_point/keelson-$LAB_NAME/$HOST_NAME
        [[ ! -e $folder/memory.limit_in_bytes ]] || echo "$HOST_MEMORY" >"$folder/memory.limit_in_bytes" || return 1
        [[ ! -e $folder/memory.max ]] || echo "$HOST_MEMORY" >"$folder/memory.max" || return 1
    done <"$LAB_RECORD/hierarchies"
}

# What the last boot left: its services' folders, empty now.
remove_cgroups() {
    local mount_point
    while read -r _ mount_point _; do
        find "$mount_point/keelson-$LAB_NAME/$HOST_NAME" -depth -type d -exec rmdir {} + 2>/dev/null
    done <"$LAB_RECORD/hierarchies"
}

# unshare itself stays out of the host's cgroups: with version 2, systemd must be alone in them.
boot() {
    make_cgroups "$HOST_NAME" && limit_memory || return 1
    unshare --mount --uts --ipc --net --pid --fork --kill-child bash "$LAB_RECORD/init.sh"
}

# For as long as something holds its network the kernel keeps it, for minutes where connections were open, and it answers.
unplug() {
    nsenter --net="$LAB_RECORD/switch" ip link delete "$HOST_PORT" 2>/dev/null
}

trap 'date +%s >"$HOST_RECORD/ended"' EXIT
make_cgroups supervisors
enter_supervisors || exit 1
for ((count = 0; count < BOOTS_LIMIT; count++)); do
    remove_cgroups
    boot
    ended=$?
    rm -f "$HOST_RECORD/init"
    unplug
    ((ended == ENDED_BY_REBOOT)) || break
done
