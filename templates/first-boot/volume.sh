# shellcheck shell=sh
# Variables: none. The volume for etcd's data, where the machine has one: it outlives the machine, and the next one finds the data
# on it. It is known by its label from the time on when it was formatted. Each etcd's data has a folder of its own on it, which is
# seen where etcd looks for it.
# shellcheck disable=SC2154 # they are set by the settings

volume=/var/lib/keelson/volume
volume_label=keelson-etcd
volume_wait_seconds=60

# Sets `device` to where the volume is. It is attached while the machine boots.
find_volume() {
    waited=0
    while :; do
        for device in $volume_devices; do
            [ ! -b "$device" ] || return 0
        done
        [ "$waited" -lt "$volume_wait_seconds" ] || fail "the volume for etcd is not attached: there is none of $volume_devices"
        sleep 2
        waited=$((waited + 2))
    done
}

# Makes a file system on $device where there is nothing at all, no other file system and no partition either.
format_volume() {
    status=0
    blkid -p -o export -- "$device" >"$scratch/volume" || status=$?
    case $status in
    0)
        if grep -Fqx "LABEL=$volume_label" "$scratch/volume" && grep -Fqx 'TYPE=ext4' "$scratch/volume"; then return 0; fi
        fail "$device holds something that is not etcd's, and is left as it is: $(tr '\n' ' ' <"$scratch/volume")"
        ;;
    2) ;;
    *) fail "nobody can tell what $device holds (blkid ends with $status), and it is left as it is" ;;
    esac
    say "format $device"
    mkfs.ext4 -q -L "$volume_label" "$device" </dev/null || fail "$device cannot be formatted"
    sync -- "$device"
}

# Mounts `$1` at `$2`, with the type `$3` and the options `$4`, from now on and from each boot on. What needs it, the unit `$5`, is
# not started without. `$6` says where `$1` is by now, where that is another path.
mount_at() {
    mount_unit=$(systemd-escape --path --suffix=mount -- "$2")
    if ! mountpoint -q "$2"; then
        write_file "/etc/systemd/system/$mount_unit" 644 <<END
[Unit]
Description=The volume for etcd's data
Before=$5

[Mount]
What=$1
Where=$2
Type=$3
Options=$4

[Install]
WantedBy=multi-user.target
RequiredBy=$5
END
        systemctl daemon-reload
        say "mount $1 at $2"
        # Without waiting for udev to find the label that was written just now. The unit is then the mount's, and active.
        mkdir -p -- "$2"
        mount -t "$3" -o "$4" -- "${6:-$1}" "$2" || fail "$1 cannot be mounted at $2"
    fi
    systemctl enable --quiet -- "$mount_unit"
}

mount_volume() {
    [ -n "$volume_devices" ] || return 0
    if ! mountpoint -q "$volume"; then
        find_volume
        format_volume
    fi
    mount_at "/dev/disk/by-label/$volume_label" "$volume" ext4 noatime etcd.service "${device:-}"
    # Without its data, an etcd would take itself for a new member.
    for etcd in $etcds; do
        folder=${etcd##*:}
        mkdir -p -- "$volume/${folder##*/}"
        mount_at "$volume/${folder##*/}" "$folder" none bind "${folder##*/}.service"
    done
}

# The data of the machine before is that of a user whose number may be another one here.
give_volume_to_etcd() {
    [ -n "$volume_devices" ] || return 0
    for etcd in $etcds; do
        find "${etcd##*:}" ! -user etcd -exec chown -h etcd:etcd -- {} +
    done
}
