# shellcheck shell=sh
# Says what there is of etcd members on this host, and how they are. It changes nothing.
# Stands behind `etcdctl.sh`.
#
# Arguments:
#   $1  for how many fifths of a second to wait while a member is starting
#   then, for each etcd cluster: its name, its unit, the folder of its data, its port for clients
# A line an answer: the etcd cluster, what it is about, and the answer up to the end of the line. `end` ends it, so that
# an answer that was cut short is never taken for one that says `nothing`.
set -u

# Always in memory: a full disk must not keep anyone from seeing that it is full.
work=$(mktemp -d /run/keelson-look.XXXXXX) || exit 1
trap 'rm -rf -- "$work"' EXIT

say() { printf '%s %s %s\n' "$cluster" "$1" "$2"; }

one_line() { tr '\n' ' ' | cut -c 1-"$1"; }

# Asks the member on this host, and says why when it does not answer.
ask() {
    about=$1
    shift
    if etcdctl_at "$port" --dial-timeout=2s --command-timeout=3s --write-out=json "$@" >"$work/answer" 2>"$work/errors"; then
        say "$about" "$(one_line 100000 <"$work/answer")"
        return 0
    fi
    say problem "$(grep -v '^{' <"$work/errors" | one_line 400)"
    return 1
}

# Nothing where `date` knows no milliseconds.
now_ms() { date +%s%3N | grep -E '^[0-9]+$'; }

unit_state() { systemctl show --property=ActiveState --value -- "$unit" 2>/dev/null; }

look() {
    if [ -f "/var/lib/keelson/etcd-$cluster.json" ]; then
        say mark "$(one_line 100000 <"/var/lib/keelson/etcd-$cluster.json")"
    fi
    if [ -e "$data/member/wal" ]; then
        say data present
    elif [ -e "$data/member" ]; then
        # etcd makes its folders before it finds that it has no log to go on from.
        say data bare
    elif [ -e "$data" ] && [ ! -r "$data" ]; then
        say data unreadable
    else
        say data none
    fi
    state=$(unit_state)
    while [ "$state" = activating ] && [ "$patience" -gt 0 ]; do
        sleep 0.2
        patience=$((patience - 1))
        state=$(unit_state)
    done
    say unit "${state:-unknown}"
    [ -f "/var/lib/keelson/etcd-$cluster.json" ] || return 0
    say free "$(df -Pk -- "$data" 2>/dev/null | awk 'END { print $4 }')"
    if [ "$state" != active ]; then
        journalctl --unit="$unit" --lines=40 --no-pager --output=cat >"$work/journal" 2>/dev/null
        grep -E '"level":"(fatal|panic)"|^panic:|no space left' <"$work/journal" | tail -n 1 >"$work/last"
        restarts=$(systemctl show --property=NRestarts --value -- "$unit" 2>/dev/null)
        say restarts "${restarts:-0}"
        # Where it ends again and again without such a word, its last one has to do.
        if [ ! -s "$work/last" ] && [ "${restarts:-0}" != 0 ]; then
            grep -E '"level":"(error|warn)"' <"$work/journal" | tail -n 1 >"$work/last"
        fi
        say words "$(one_line 600 <"$work/last")"
        return 0
    fi
    began=$(now_ms)
    ask status endpoint status || return 0
    if [ -n "$began" ]; then
        say latency "$(($(now_ms) - began))"
    fi
    # Without a leader the list would only be waited for.
    grep -q '"leader":[1-9]' <"$work/answer" || return 0
    # A learner does not give it.
    grep -q '"isLearner":true' <"$work/answer" || ask members member list
}

patience=$1
shift
while [ $# -ge 4 ]; do
    cluster=$1 unit=$2 data=$3 port=$4
    shift 4
    look
done
echo end
