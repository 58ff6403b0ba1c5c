# shellcheck shell=sh
# Says why the kubelet of a host, or what it runs of a control plane, does not do its work: lines of a key and values,
# separated by tabs. Changes nothing.
#   $1     of how many seconds pulls of images are told; what failed earlier may be mended
#   $2 on  static pods and the port of each: `kube-apiserver:6443`
set -u
recent=$1
shift
crictl=/opt/keelson/bin/crictl
tab=$(printf '\t')

say() { printf '%s\t%s\n' "$1" "$2"; }
one_line() { tr '\n\t' '  ' | cut -c "1-$1"; }
property() { systemctl show --property="$2" --value -- "$1.service" 2>/dev/null; }
journal() {
    service=$1.service
    shift
    journalctl --unit="$service" --boot --lines=300 --no-pager --output=cat "$@" 2>/dev/null
}
# klog begins a line with its severity and the date; what ends a program has no such head.
worst() { grep -E '^[EF][0-9]{4} |^(Error|panic|fatal|error)|level=(error|fatal)|[Ff]ailed to'; }

unit() {
    printf 'unit\t%s\t%s\t%s\t%s\n' "$1" "$(property "$1" ActiveState)" "$(property "$1" NRestarts)" "$(property "$1" Result)"
    journal "$1" | worst | tail -n "$2" | while IFS= read -r line; do
        printf 'journal\t%s\t%s\n' "$1" "$(printf '%s' "$line" | one_line 600)"
    done
}

# What a pull of an image failed with last; kubelet quotes the runtime's words.
pull() {
    journal kubelet --since="-${recent}s" | grep -E 'PullImage from image service failed|ErrImagePull|Failed to pull image|failed to pull image' |
        tail -n 1 | one_line 1500
}

listener() {
    command -v ss >/dev/null 2>&1 || return 0
    ss -Hltnp "sport = :$2" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1\t\2/p' | head -n 1 |
        while IFS="$tab" read -r program pid; do printf 'listener\t%s\t%s\t%s\n' "$1" "$program" "$pid"; done
}

container() {
    id=$(timeout 10 "$crictl" ps --latest --quiet --name "^$1\$" 2>/dev/null | head -n 1)
    [ -n "$id" ] || return 0
    # shellcheck disable=SC2016 # a template of Go's
    state=$(timeout 10 "$crictl" inspect --output go-template --template \
        '{{.status.state}}{{"\t"}}{{.status.metadata.attempt}}{{"\t"}}{{.status.exitCode}}{{"\t"}}{{.status.reason}}' \
        "$id" 2>/dev/null | head -n 1)
    printf 'container\t%s\t%s\n' "$1" "$state"
    timeout 10 "$crictl" logs --tail 40 "$id" 2>&1 | grep -v '^[[:space:]]*$' >"$work/log"
    { worst <"$work/log" || cat "$work/log"; } | tail -n 2 | while IFS= read -r line; do
        printf 'log\t%s\t%s\n' "$1" "$(printf '%s' "$line" | one_line 600)"
    done
}

work=$(mktemp -d /run/keelson-words.XXXXXX) || exit 1
trap 'rm -rf -- "$work"' EXIT
unit containerd 1
unit kubelet 2
pulled=$(pull)
[ -z "$pulled" ] || say pull "$pulled"
for pod in "$@"; do
    listener "${pod%%:*}" "${pod##*:}"
    [ ! -x "$crictl" ] || container "${pod%%:*}"
done
say end end
