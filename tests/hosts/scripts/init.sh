#!/usr/bin/env bash
# The first process of a test host, in namespaces of its own: puts its file systems, devices and network together and
# becomes systemd. Nothing that is mounted here is seen outside, and all of it goes when the host dies.
# Expects in the environment:
#   LAB_RECORD     folder of the lab's record; LAB_NAME its name
#   LAB_ROOT       the root file system that all hosts share, never written to
#   LAB_MODULES    folder that stands for /lib/modules/<release of the kernel>
#   HOST_NAME      name of the host; HOST_RECORD is its folder below the lab's record
#   HOST_FOLDER    where its disk is: folder `disk`, or file `disk.image` when it is limited; `seed` has its first files
#   HOST_HOSTNAME  what it calls itself
#   HOST_PORT      its port of the switch; HOST_MAC its hardware address
#   HOST_ADDRESSES its addresses with the lengths of their prefixes, separated by blanks; HOST_GATEWAY the machine's
#   HOST_METADATA  the address of the metadata service, when it is an instance of EC2, or empty
set -euo pipefail

# These belong to the machine and not to a namespace: a host changes a copy.
readonly SHARED_SETTINGS=(
    vm/overcommit_memory vm/panic_on_oom vm/max_map_count kernel/panic kernel/panic_on_oops kernel/pid_max
    kernel/core_pattern kernel/printk kernel/sysrq kernel/keys/root_maxkeys kernel/keys/root_maxbytes
    fs/file-max fs/nr_open
    fs/inotify/max_user_instances fs/inotify/max_user_watches
)
# Where overlayfs cannot stand on overlayfs, or where fsync should be a real one.
readonly REAL_FOLDERS=(var/lib/containerd var/lib/kubelet var/lib/etcd var/log/pods)

disk=$HOST_FOLDER/disk
root=$HOST_FOLDER/root

# Still under the machine's /proc, which knows this process by its number outside. The time of its start tells it from
# another process that gets the number later.
announce() {
    local pid line fields count=0
    read -r pid _ </proc/self/stat
    read -r line </proc/self/stat
    read -r -a fields <<<"${line##*) }"
    echo "$pid ${fields[19]}" >"$HOST_RECORD/init.new"
    [[ ! -e $HOST_RECORD/boots ]] || read -r count <"$HOST_RECORD/boots"
    echo $((count + 1)) >"$HOST_RECORD/boots"
    mv "$HOST_RECORD/init.new" "$HOST_RECORD/init"
}

mount_disk() {
    local folder
    mkdir -p "$disk" "$root"
    [[ ! -e $HOST_FOLDER/disk.image ]] || mount -o loop "$HOST_FOLDER/disk.image" "$disk"
    if [[ ! -e $disk/seeded ]]; then
        mkdir -p "$disk/upper" "$disk/work"
        cp -a "$HOST_FOLDER/seed/." "$disk/upper/"
        for folder in "${REAL_FOLDERS[@]}"; do
            mkdir -p "$disk/real/$folder"
            [[ ! -d $LAB_ROOT/$folder ]] || chown --reference="$LAB_ROOT/$folder" "$disk/real/$folder"
        done
        : >"$disk/seeded"
    fi
    mount -t overlay -o "lowerdir=$LAB_ROOT,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"
    for folder in "${REAL_FOLDERS[@]}"; do
        # An instance brings the volume of its etcd itself.
        [[ -z $HOST_METADATA || $folder != var/lib/etcd ]] || continue
        mkdir -p "$root/$folder"
        mount --bind "$disk/real/$folder" "$root/$folder"
    done
}

mount_modules() {
    local folder
    folder=$root/usr/lib/modules/$(uname -r)
    mkdir -p "$folder"
    mount --bind "$LAB_MODULES" "$folder"
    mount -o remount,bind,ro "$folder"
}

make_devices() {
    local name numbers
    mount -t tmpfs -o mode=755,size=4m,nosuid tmpfs "$root/dev"
    while read -r name numbers; do
        mkdir -p "$(dirname "$root/dev/$name")"
        # shellcheck disable=SC2086 # two numbers
        mknod -m 666 "$root/dev/$name" c $numbers
    done <<'END'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
kmsg 1 11
tty 5 0
fuse 10 229
net/tun 10 200
END
    mkdir -p "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmpfs "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s /proc/self/fd/0 "$root/dev/stdin"
    ln -s /proc/self/fd/1 "$root/dev/stdout"
    ln -s /proc/self/fd/2 "$root/dev/stderr"
}

# Volumes that it had when it was switched on; those that come later are shown to it from outside.
make_volumes() {
    local number volume numbers
    [[ -e $HOST_RECORD/volumes ]] || return 0
    while read -r number volume numbers; do
        bash "$LAB_RECORD/volume.sh" "$root" "$number" "$volume" "$numbers"
    done <"$HOST_RECORD/volumes"
}

# $1: file, $2: what the host reads there instead; it may write it, and nobody else will see.
put_over() {
    local copy
    [[ -e $root/$1 ]] || return 0
    copy=$root/run/test-host/${1//\//-}
    echo "$2" >"$copy"
    mount --bind "$copy" "$root/$1"
}

mount_kernel() {
    local setting
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
    mount -t tmpfs -o mode=755,size=512m,nosuid,nodev tmpfs "$root/run"
    mount -t tmpfs -o mode=1777,size=1g,nosuid,nodev tmpfs "$root/tmp"
    mkdir -p "$root/run/test-host" "$root/run/lock"
    for setting in "${SHARED_SETTINGS[@]}"; do
        [[ ! -e /proc/sys/$setting ]] || put_over "proc/sys/$setting" "$(<"/proc/sys/$setting")"
    done
    # Another one at each boot, as on any machine: that is how programs notice that it was rebooted.
    put_over proc/sys/kernel/random/boot_id "$(</proc/sys/kernel/random/uuid)"
    put_over sys/class/dmi/id/product_uuid "$(<"$HOST_FOLDER/machine-uuid")"
    put_over sys/class/dmi/id/product_serial "$(<"$HOST_FOLDER/machine-uuid")"
}

# Into the host's folder of each hierarchy, which the namespace that comes next makes the root of what the host sees.
enter_cgroups() {
    local mount_point
    while read -r _ mount_point _; do
        # 0 is whoever writes it, by whatever number it is known.
        echo 0 >"$mount_point/keelson-$LAB_NAME/$HOST_NAME/cgroup.procs"
    done <"$LAB_RECORD/hierarchies"
}

# This process is in a folder of its own in each hierarchy, and that folder is the root of what is mounted here.
mount_cgroups() {
    local version mount_point options target
    while read -r version mount_point options; do
        target=$root$mount_point
        # Below /sys itself nothing can be made, and hierarchies of version 1 need folders.
        if [[ $mount_point == /sys/fs/cgroup/* ]] && ! mountpoint -q "$root/sys/fs/cgroup"; then
            mount -t tmpfs -o mode=755,size=4m,nosuid,nodev,noexec tmpfs "$root/sys/fs/cgroup"
        fi
        mkdir -p "$target"
        if [[ $version == 2 ]]; then
            mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$target"
        else
            mount -t cgroup -o "nosuid,nodev,noexec,$options" cgroup "$target"
        fi
    done <"$LAB_RECORD/hierarchies"
}

connect() {
    local address switch=$LAB_RECORD/switch
    # What an earlier boot left may not have gone yet.
    nsenter --net="$switch" ip link delete "$HOST_PORT" 2>/dev/null || true
    ip link set lo up
    ip link add eth0 address "$HOST_MAC" type veth peer name "$HOST_PORT" netns "$switch"
    for address in $HOST_ADDRESSES; do
        ip address add "$address" dev eth0
    done
    ip link set eth0 up
    ip route add default via "$HOST_GATEWAY"
    [[ -z $HOST_METADATA ]] || ip route add "$HOST_METADATA" dev eth0
    nsenter --net="$switch" ip link set "$HOST_PORT" master switch
    # A cable that was pulled stays pulled.
    [[ -e $HOST_RECORD/cut ]] || nsenter --net="$switch" ip link set "$HOST_PORT" up
}

if [[ ${1:-} != entered ]]; then
    enter_cgroups
    exec unshare --cgroup bash "$0" entered
fi
# Before anybody hears of it, who may ask at once what it is called.
hostname "$HOST_HOSTNAME"
announce
mount_disk
mount_modules
make_devices
mount_kernel
make_volumes
mount_cgroups
connect
cd "$root"
pivot_root . .
umount -l .
mount --make-rshared /
cd /
exec env -i container=keelson PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd </dev/null
