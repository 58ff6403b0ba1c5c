#!/usr/bin/env bash
# Builds the root file system that every test host stands on: Debian bookworm with systemd, sshd and what a Kubernetes
# node needs. This file is the recipe: a change of it makes another root file system, beside the old one.
#
#   rootfs.sh FOLDER     FOLDER must not exist; apt.sh stands before this
#
# bookworm, because its systemd (252) still accepts cgroup v1; systemd 256 and later do not.
set -euo pipefail
folder=$1
suite=bookworm

packages=(
    # A machine that one can log in to.
    systemd systemd-sysv dbus openssh-server sudo procps kmod less
    # Networks.
    iproute2 iptables nftables conntrack ipset ethtool socat curl ca-certificates netbase iputils-ping
    # What a node runs on.
    containerd runc containernetworking-plugins haproxy keepalived
    # What scripts of tests are written with.
    python3-minimal jq e2fsprogs
    # What an instance of EC2 does with its user data.
    cloud-init
)

# Units that have nothing to do here, wait for hardware, or would touch the machine that all hosts share.
masked=(
    getty.target console-getty.service getty-static.service
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket
    systemd-timesyncd.service systemd-networkd.service systemd-resolved.service
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
    sys-fs-fuse-connections.mount systemd-remount-fs.service systemd-pstore.service tmp.mount
    systemd-firstboot.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    # It asks for an address by DHCP; hosts have theirs, and cloud-init.service asks the metadata service.
    cloud-init-local.service cloud-init-hotplugd.socket
)

# Installed to be at hand, not to run: whoever wants one enables it.
disabled=(haproxy.service keepalived.service containerd.service nftables.service)

sources() {
    local main security
    main=$(archive Debian)
    security=$(archive Debian-Security || true)
    echo "deb $main $suite main"
    echo "deb $main $suite-updates main"
    [[ -z $security ]] || echo "deb $security $suite-security main"
}

build() {
    local options=() line listed lines
    while read -r line; do
        options+=(--aptopt="$line")
    done < <(settings)
    listed=$(IFS=, && echo "${packages[*]}")
    lines=$(sources)
    mmdebstrap --quiet --variant=minbase --mode=root --include="$listed" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' "${options[@]}" \
        "$suite" "$folder" - <<<"$lines"
}

add_users() {
    # The same numbers in every root file system, for the files that hosts get before they boot.
    # Debian has a group of that name already.
    chroot "$folder" useradd --uid 1001 --gid operator --create-home --shell /bin/bash operator
    chroot "$folder" useradd --uid 1002 --create-home --shell /bin/bash limited
    chroot "$folder" useradd --uid 1003 --create-home --shell /bin/bash careful
    chroot "$folder" chpasswd <<<'careful:careful-password'
    echo 'operator ALL=(ALL:ALL) NOPASSWD: ALL' >"$folder/etc/sudoers.d/operator"
    echo 'careful ALL=(ALL:ALL) PASSWD: ALL' >"$folder/etc/sudoers.d/careful"
    chmod 0440 "$folder"/etc/sudoers.d/{operator,careful}
}

# cloud-init runs only on hosts that have its target among those that they want: instances (`src/seed.rs`). It is Debian's own
# but for one line: it believes no machine that is a container to be one of EC2.
settle_cloud_init() {
    local modules=$folder/usr/lib/python3/dist-packages/cloudinit
    rm "$folder/lib/systemd/system-generators/cloud-init-generator"
    grep -qx '    if is_container():' "$modules/dmi.py"
    sed -i 's/^    if is_container():$/    if False:/' "$modules/dmi.py"
    chroot "$folder" python3 -m compileall -q "${modules#"$folder"}/dmi.py"
    # Neither keys, users, names nor networks: a host has them. Nor packages: there is no way to an archive.
    cat >"$folder/etc/cloud/cloud.cfg.d/90_test_host.cfg" <<'END'
datasource_list: [ Ec2 ]
datasource:
  Ec2:
    metadata_urls: [ "http://169.254.169.254" ]
    timeout: 5
    max_wait: 30
network: { config: disabled }
preserve_hostname: true
users: []
cloud_init_modules: [ bootcmd, write-files ]
cloud_config_modules: [ runcmd ]
cloud_final_modules: [ write-files-deferred, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, final-message ]
END
}

settle() {
    local unit
    for unit in "${masked[@]}"; do
        ln -sf /dev/null "$folder/etc/systemd/system/$unit"
    done
    for unit in "${disabled[@]}"; do
        chroot "$folder" systemctl disable --quiet "$unit"
    done
    chroot "$folder" systemctl enable --quiet ssh.service
    chroot "$folder" systemctl set-default --quiet multi-user.target
    # These would be written to the kernel that all hosts share.
    rm -f "$folder"/usr/lib/sysctl.d/*.conf "$folder"/etc/sysctl.d/99-sysctl.conf
    mkdir -p "$folder"/etc/systemd/{journald,system}.conf.d
    printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=64M\nForwardToSyslog=no\nReadKMsg=no\nAudit=no\n' \
        >"$folder/etc/systemd/journald.conf.d/test-host.conf"
    printf '[Manager]\nDefaultTimeoutStopSec=10s\nStatusUnitFormat=name\n' \
        >"$folder/etc/systemd/system.conf.d/test-host.conf"
    # Each host has its own.
    rm -f "$folder"/etc/ssh/ssh_host_* "$folder/etc/hostname"
    : >"$folder/etc/machine-id"
    rm -f "$folder/etc/resolv.conf" "$folder/etc/fstab" "$folder/var/lib/dbus/machine-id"
    rm -rf "${folder:?}"/var/cache/apt/* "${folder:?}"/var/lib/apt/lists/*
    mkdir -p "$folder"/var/lib/{containerd,kubelet,etcd} "$folder/var/log/pods" "$folder/usr/lib/modules"
}

build
add_users
settle_cloud_init
settle
