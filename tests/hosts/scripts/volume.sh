#!/usr/bin/env bash
# Shows a host a volume, or shows it no longer: /dev/nvme<NUMBER>n1, and the name that udev gives it on an instance of EC2.
#
#   volume.sh ROOT NUMBER VOLUME MAJOR:MINOR     ROOT is empty in the host itself
#   volume.sh ROOT NUMBER VOLUME
#
# udev does not run in hosts. What it would have written down of the device is written here, so that systemd knows it too, and
# mount units can wait for it.
set -euo pipefail
root=$1
# Before a host has its own root, this one is the machine's.
[[ -n $root || -d /run/test-host ]] || exit 1
name=nvme$2n1
link=disk/by-id/nvme-Amazon_Elastic_Block_Store_${3/-/}
numbers=${4:-}

if [[ -z $numbers ]]; then
    numbers=$(stat --format '%Hr:%Lr' "$root/dev/$name" 2>/dev/null) || exit 0
    rm -f "$root/dev/$name" "$root/dev/$link" "$root/run/udev/data/b$numbers" "$root/run/udev/tags/systemd/b$numbers"
else
    mkdir -p "$root/dev/disk/by-id" "$root/run/udev/data" "$root/run/udev/tags/systemd"
    [[ -e $root/dev/$name ]] || mknod -m 660 "$root/dev/$name" b "${numbers%:*}" "${numbers#*:}"
    ln -sfn "../../$name" "$root/dev/$link"
    printf '%s\n' "S:$name" "S:$link" I:1 G:systemd Q:systemd V:1 >"$root/run/udev/data/b$numbers"
    : >"$root/run/udev/tags/systemd/b$numbers"
fi
# While it boots, systemd is not there yet and will look by itself.
[[ -n $root ]] || systemctl daemon-reload
