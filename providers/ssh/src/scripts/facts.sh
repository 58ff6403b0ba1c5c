# shellcheck shell=sh
# Says what a host is like, as lines of a key, a tab and a value. Changes nothing, and goes on where something cannot be
# read: what is missing is missing.
#   $1  `all`, or `marks` for what keelson wrote and what it takes to know the host again
#   $2  words for programs that must be there, separated by blanks; `|` between those of which one is enough
#   $3  the units that keelson brings, separated by blanks
#   $4 on  folders in which etcd may have data
set -u
scope=$1
programs=$2
own_units=$3
shift 3
root=/var/lib/keelson
tab=$(printf '\t')

fact() { printf '%s\t%s\n' "$1" "$2"; }
first_line() { head -c 4096 -- "$1" 2>/dev/null | head -n 1 | tr -d '\t'; }
blob() { [ ! -f "$2" ] || fact "$1" "$(head -c 262144 -- "$2" | base64 | tr -d '\n')"; }
kib_of() { awk -v key="$1:" '$1 == key { print $2; exit }' /proc/meminfo 2>/dev/null; }
free_kib() { df -Pk -- "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'; }
active_units() { systemctl list-units --type=service --state=active --plain --no-legend 2>/dev/null | awk '{ print $1 }'; }
unit_is_active() { printf '%s\n' "$units" | grep -Fqx -- "$1"; }

# What a cloud calls the machine, where that was told to it at its first boot (templates/first-boot); the ids in
# /etc/machine-id may all be their image's.
machine_id() {
    told=$(first_line "$root/instance")
    printf '%s\n' "${told:-$(first_line /etc/machine-id)}"
}

identity() {
    fact clock "$(date +%s.%N)"
    fact machine-id "$(machine_id)"
    fact boot-id "$(first_line /proc/sys/kernel/random/boot_id)"
    fact boot-time "$(awk '$1 == "btime" { print $2 }' /proc/stat 2>/dev/null)"
    fact hostname "$(uname -n)"
    fact kernel "$(uname -r)"
    fact architecture "$(uname -m)"
    if [ -r /etc/os-release ]; then
        # In a shell of its own: the file sets variables.
        (
            # shellcheck disable=SC1091 # is on the host
            . /etc/os-release
            fact os-id "${ID:-}"
            fact os-like "${ID_LIKE:-}"
            fact os-version "${VERSION_ID:-}"
            fact os-name "${PRETTY_NAME:-}"
        )
    fi
    fact init "$(first_line /proc/1/comm)"
}

# The paths that the record has under the name `$1`. They are plain, so no reader of JSON is needed to find them.
recorded() {
    tr -d '\n' <"$root/bundle.json" | sed -n "s/.*\"$1\":[[:space:]]*\[\([^]]*\)\].*/\1/p" | tr ',' '\n' |
        sed -e 's/^[[:space:]]*"//' -e 's/"[[:space:]]*$//' | head -n 64
}

# The files of the bundle that are not as it left them: of another size, time, mode or owner than it wrote down, or gone. Other
# network plugins put their own programs beside and over those of CNI.
altered() {
    [ -f "$root/files" ] || return 0
    cut -f 2 -- "$root/files" | tr '\n' '\0' | xargs -0 stat -c "%s %Y %a %u %g$tab%n" -- 2>/dev/null |
        grep -Fvx -f - -- "$root/files" | cut -f 2 | head -n 128 | while IFS= read -r path; do
        case $path in
        /opt/cni/bin/*) [ -e "$path" ] || fact altered "$path" ;;
        *) fact altered "$path" ;;
        esac
    done
}

# The units of the bundle that are to run from each boot on, and neither do nor are about to. Who makes what a unit serves
# has it run from then on, and who ends that, no more. Members tell of etcd's.
stopped() {
    own=$(sed -n "s/^unit$tab//p" "$root/installed" 2>/dev/null | grep -v '^etcd' | head -n 32 | tr '\n' ' ')
    [ -n "$own" ] || return 0
    # shellcheck disable=SC2086 # a word for each
    systemctl show --property=Id,ActiveState,UnitFileState,Job -- $own 2>/dev/null | awk '
        BEGIN { RS = "" }
        /(^|\n)UnitFileState=enabled(\n|$)/ && /(^|\n)ActiveState=(inactive|failed)(\n|$)/ && !/(^|\n)Job=[1-9]/ {
            for (line = 1; line <= NF; line++) if ($line ~ /^Id=/) print substr($line, 4)
        }' | while IFS= read -r unit; do fact stopped "$unit"; done
}

marks() {
    blob mark "$root/host.json"
    blob bundle "$root/bundle.json"
    [ ! -f "$root/bundle.json" ] || fact bundle-time "$(stat -c %Y -- "$root/bundle.json")"
    running=$(readlink -- "$root/current" 2>/dev/null) && fact bundle-digest "${running##*/}"
    [ ! -e "$root/installed" ] || fact installed yes
    [ -f "$root/bundle.json" ] || return 0
    altered
    stopped
    recorded certificates | while IFS= read -r path || [ -n "$path" ]; do
        case $path in
        /*) [ ! -f "$path" ] || fact certificate "$path $(head -c 65536 -- "$path" |
            sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' | base64 | tr -d '\n')" ;;
        esac
    done
    recorded keys | while IFS= read -r path || [ -n "$path" ]; do
        case $path in
        /*) [ -s "$path" ] || fact missing-key "$path" ;;
        esac
    done
    # What was to come with the bundle, and of which nobody knows how much has.
    [ ! -f "$root/awaited" ] || head -n 128 -- "$root/awaited" | while IFS= read -r path; do
        [ -z "$path" ] || fact missing-key "$path"
    done
}

resources() {
    fact cpus "$(nproc 2>/dev/null)"
    fact memory-kib "$(kib_of MemTotal)"
    fact swap-kib "$(kib_of SwapTotal)"
    [ ! -f /sys/fs/cgroup/cgroup.controllers ] || fact cgroup 2
    fact disk-kib "$(free_kib /var/lib)"
}

listeners() {
    if command -v ss >/dev/null 2>&1; then
        ss -Hltnp 2>/dev/null | head -n 512 | while IFS= read -r line; do fact listener "$line"; done
    else
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print $2 }' | head -n 512 |
            while IFS= read -r line; do fact socket "$line"; done
    fi
}

missing_programs() {
    for choice in $programs; do
        found=
        for program in $(printf '%s' "$choice" | tr '|' ' '); do
            if command -v "$program" >/dev/null 2>&1; then found=yes; fi
        done
        [ -n "$found" ] || fact missing "$choice"
    done
}

# What someone else has put there: Kubernetes, etcd, and what brings a runtime of its own.
#   $1 on  folders in which etcd may have data
software() {
    for unit in kubelet etcd docker k3s k3s-agent rke2-server rke2-agent k0scontroller k0sworker microk8s snap.microk8s.daemon-kubelite; do
        if unit_is_active "$unit.service"; then
            fact running "$unit"
        fi
    done
    for process in kubelet etcd kube-apiserver; do
        if pgrep -x "$process" >/dev/null 2>&1; then fact process "$process"; fi
    done
    # The owner of an authority may have put certificates there.
    [ -z "$(find /etc/kubernetes -path /etc/kubernetes/pki -prune -o ! -type d -print 2>/dev/null | head -n 1)" ] ||
        fact folder /etc/kubernetes
    for folder in "$@"; do
        # A disk of its own has a folder for what was lost.
        [ -z "$(ls -A -I lost+found -- "$folder" 2>/dev/null)" ] || fact etcd-data "$folder"
    done
}

# What someone else has under the names of the units that keelson brings: their files, or what changes them.
foreign_units() {
    for unit in $own_units; do
        if grep -Fqxs -- "unit$tab$unit" "$root/installed"; then continue; fi
        for folder in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
            for file in "$folder/$unit" "$folder/$unit".d/*.conf; do
                # A unit that is masked is a link to nothing.
                if [ -e "$file" ] || [ -L "$file" ]; then
                    fact foreign-unit "$unit $file"
                    continue 3
                fi
            done
        done
    done
}

# The chain of iptables through which goes what is forwarded, in the family `$1`. Docker leaves its policy there when it ends.
# `nft` shows what is in nftables and makes nothing, where iptables makes the table that it is asked for; the older tables it
# does not know, and iptables is asked for them only where they are.
chain_forward() {
    if command -v nft >/dev/null 2>&1; then
        timeout 5 nft list chain "$1" filter FORWARD 2>/dev/null
    elif command -v "${1}tables" >/dev/null 2>&1; then
        timeout 5 "${1}tables" -S FORWARD 2>/dev/null
    fi
    grep -Fqxs filter "/proc/net/${1}_tables_names" || return 0
    for program in "${1}tables-legacy" "${1}tables"; do
        if command -v "$program" >/dev/null 2>&1; then
            timeout 5 "$program" -S FORWARD 2>/dev/null
            break
        fi
    done
}

# What decides which ports are open. The unit of ufw is active also where ufw is off.
firewalls() {
    if unit_is_active firewalld.service; then fact firewall firewalld; fi
    if grep -Fqxs ENABLED=yes /etc/ufw/ufw.conf; then fact firewall ufw; fi
    for family in ip ip6; do
        if chain_forward "$family" | grep -Eq 'policy drop;|^-P FORWARD DROP$'; then fact drops-forwarded "$family"; fi
    done
}

synchronised() {
    if command -v timedatectl >/dev/null 2>&1; then
        fact synchronised "$(timeout 5 timedatectl show --property NTPSynchronized --value 2>/dev/null)"
    fi
    for unit in chronyd chrony systemd-timesyncd ntpd ntp ntpsec; do
        if unit_is_active "$unit.service"; then fact time-service "$unit"; fi
    done
}

identity
marks
if [ "$scope" = all ]; then
    units=$(active_units)
    resources
    listeners
    missing_programs
    software "$@"
    foreign_units
    firewalls
    synchronised
fi
fact end end
