#!/usr/bin/env bash
# Takes one lab down and leaves nothing of it: processes, mounts, network, cgroups, files.
#
#   down.sh RECORD     the folder of the lab's record
#
# Works from the record alone, however much of the lab there is, and may be run again and by several at once. What was
# not made, or is gone already, is no failure; what stays although it should go is, and is named.
# shellcheck disable=SC2317 # several functions are called by `eventually` alone
set -uo pipefail
record=$1
name=$(basename "$record")
labs=$(dirname "$record")
failed=0

complain() {
    echo "down.sh: lab $name: $*" >&2
    failed=1
}

# Tries for about ten seconds.
eventually() {
    local attempt
    for ((attempt = 0; attempt < 200; attempt++)); do
        "$@" 2>/dev/null && return 0
        sleep 0.05
    done
    return 1
}

hierarchies() {
    [[ ! -e $record/hierarchies ]] || cut -d ' ' -f 2 "$record/hierarchies"
}

# Nothing of a lab runs outside its folders of cgroups, so there is no need to guess by names or numbers.
processes() {
    local mount_point
    for mount_point in $(hierarchies); do
        find "$mount_point/keelson-$name" -name cgroup.procs -exec cat {} + 2>/dev/null
    done | sort -u | grep -v '^0$' # which stands for one of another PID namespace
}

kill_all() {
    local pids
    mapfile -t pids < <(processes)
    ((${#pids[@]})) || return 0
    kill -KILL "${pids[@]}"
    return 1
}

# The hosts' first processes before all others, so that whoever started them sees them end and no zombie is left.
power_off() {
    local init pid
    for init in "$record"/hosts/*/init; do
        read -r pid _ <"$init" && processes | grep -qx "$pid" && kill -KILL "$pid"
    done 2>/dev/null
}

supervisors_ended() {
    local mount_point
    for mount_point in $(hierarchies); do
        [[ -z $(cat "$mount_point/keelson-$name/supervisors/cgroup.procs" 2>/dev/null) ]]
        return
    done
}

remove_cgroup() {
    [[ -d $1 ]] || return 0
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [[ ! -d $1 ]]
}

remove_link() {
    [[ -e /sys/class/net/$1 ]] || return 0
    ip link delete "$1"
}

unmount_below() {
    local target
    while read -r target; do
        umount -l "$target" 2>/dev/null
    done < <(awk -v under="$1/" 'index($5 "/", under) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
}

# Volumes that hosts have had as block devices. A device that is still in use goes when it is not any more.
detach_volumes() {
    local folder file left=0
    read -r folder <"$record/folder" || return 0
    for file in /sys/block/loop*/loop/backing_file; do
        [[ -e $file && $(<"$file") == "$folder"/* ]] || continue
        file=${file#/sys/block/}
        losetup --detach "/dev/${file%%/*}"
        left=1
    done
    return "$left"
}

remove_files() {
    local folder
    [[ -e $record/folder ]] || return 0
    read -r folder <"$record/folder"
    # A damaged record must not cost anything else.
    if [[ $folder != */test-hosts/labs/"$name" ]]; then
        complain "its record names the folder '$folder', which is none of a lab; remove it by hand"
        return
    fi
    unmount_below "$folder"
    rm -rf --one-file-system "$folder" || complain "$folder stays"
}

# The lock of all records. Whoever is last removes it, so it may not be the one any more that stands there.
lock_records() {
    local attempt
    for ((attempt = 0; attempt < 100; attempt++)); do
        exec 9>>"$labs/lock" && flock --timeout 60 9 || return 1
        [[ ! $labs/lock -ef /proc/$$/fd/9 ]] || return 0
    done
    return 1
}

# What all labs share goes with the last one, and the machine has its own limit again.
leave() {
    local value
    [[ -z $(find "$labs" -mindepth 1 -maxdepth 1 -type d) ]] || return 0
    if [[ -e $labs/inotify-before ]]; then
        read -r value <"$labs/inotify-before"
        echo "$value" >/proc/sys/fs/inotify/max_user_instances
    fi
    rm -f "$labs/inotify-before" "$labs/lock"
    rmdir "$labs"
}

exec 8<"$record" || exit 0
flock --timeout 60 8 || {
    complain "someone else has been taking it down for a minute"
    exit 1
}
# Whoever had the lock before may have done it all.
[[ -d $record ]] || exit 0

power_off
eventually supervisors_ended
eventually kill_all || complain "processes stay: $(processes | tr '\n' ' ')"
if [[ -e $record/uplink ]]; then
    read -r uplink <"$record/uplink"
    eventually remove_link "$uplink" || complain "network interface $uplink stays"
fi
unmount_below "$record"
for mount_point in $(hierarchies); do
    eventually remove_cgroup "$mount_point/keelson-$name" || complain "$mount_point/keelson-$name stays"
done
eventually detach_volumes || complain "volumes stay: losetup --list"
remove_files
((failed)) && exit 1
lock_records || complain "$labs/lock has been held by someone else for a minute"
rm -rf --one-file-system "$record"
leave
exit "$failed"
