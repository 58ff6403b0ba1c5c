# shellcheck shell=sh
# Says what keeps a host from running kubelet and pods: lines of a finding's name, a tab and what is wrong. Changes nothing.
#   $1     `brought` where keelson brings the container runtime, `own` where it is the host's
#   $2 on  programs that must be there
set -u
runtime=$1
shift

say() { printf '%s\t%s\n' "$1" "$2"; }

# Built in, loaded, or there to be loaded: `modprobe` knows all three.
has_module() { modprobe --dry-run --quiet -- "$1" 2>/dev/null; }

modules=
grep -qw overlay /proc/filesystems || has_module overlay || modules="$modules overlay"
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || has_module br_netfilter || modules="$modules br_netfilter"
[ -e /proc/sys/net/netfilter/nf_conntrack_max ] || has_module nf_conntrack || modules="$modules nf_conntrack"
[ -z "$modules" ] || say kernel-modules "its kernel has no$modules"

programs=
for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 || programs="$programs $program"
done
[ -z "$programs" ] || say node-programs "it lacks$programs"

if [ "$runtime" = brought ]; then
    for unit in containerd crio cri-docker; do
        if systemctl is-active --quiet -- "$unit.service" 2>/dev/null; then
            say container-runtime "$unit.service runs already"
        fi
    done
elif ! systemctl cat -- containerd.service >/dev/null 2>&1; then
    say container-runtime 'it has no containerd.service, and spec.containerd.source is host'
fi
