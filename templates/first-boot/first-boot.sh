# shellcheck shell=sh
# Variables: none. Stands behind the settings and all other parts: what a machine that is made in a cloud does until its bundle is
# in force, or, where it has none, until whoever may log in can.
#
# cloud-init runs it once, as user data; then it makes itself a service, which goes on after whatever ends it, and which goes when
# it has come to its end. Each of its steps finds out by itself what of it is done.
#
#   first-boot        makes itself a service
#   first-boot run    what that service does

set -eu
umask 077
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

state=/var/lib/keelson
memory=/run/keelson-first-boot
unit=keelson-first-boot.service
scratch='' incoming=''

say() { printf 'keelson: %s\n' "$*"; }
fail() {
    printf 'keelson: %s\n' "$*" >&2
    exit 1
}

# Makes what comes from stdin the file `$1` with the mode `$2`, in one step.
write_file() {
    cat >"$1.new"
    chmod "$2" "$1.new"
    sync -- "$1.new"
    mv -f -- "$1.new" "$1"
}

# Lets keelson log in, and whoever else may.
# shellcheck disable=SC2154 # they are set by the settings
authorize_logins() {
    entry=$(getent passwd "$login_user") || fail "there is no user $login_user on this machine"
    entry=${entry%:*}
    keys=${entry##*:}/.ssh/authorized_keys
    [ -d "${keys%/*}" ] || mkdir -- "${keys%/*}"
    [ -f "$keys" ] || touch -- "$keys"
    login_keys >"$scratch/logins"
    awk 'FILENAME == ARGV[1] { there[$0]; next } !($0 in there) { there[$0]; print }' "$keys" "$scratch/logins" >"$scratch/new-logins"
    [ -s "$scratch/new-logins" ] || return 0
    say "let keelson log in as $login_user"
    # A last line that nobody ended is ended by awk.
    awk 1 "$keys" "$scratch/new-logins" >"$keys.new"
    chmod 600 -- "$keys.new"
    chown -- "$login_user:" "${keys%/*}" "$keys.new"
    sync -- "$keys.new"
    mv -f -- "$keys.new" "$keys"
}

# Shows keelson the keys of this machine's sshd, so that it knows whom it speaks to. What is published stays.
publish_host_keys() {
    cat -- /etc/ssh/ssh_host_*_key.pub >"$scratch/host-keys" || fail 'sshd has no host keys yet'
    say 'publish the host keys'
    answer=0
    s3_put "$scratch/host-keys" "$host_keys_folder$instance" || answer=$?
    case $answer in
    0 | 3) ;;
    *) exit 1 ;;
    esac
}

clean_up() {
    [ -z "$incoming" ] || rm -rf -- "$incoming"
    [ -z "$scratch" ] || rm -rf -- "$scratch"
}

# Waits longer after each attempt that failed, up to five minutes.
back_off() {
    failed=$(cat -- "$memory/attempts" 2>/dev/null || echo 0)
    printf '%s\n' $((failed + 1)) >"$memory/attempts"
    [ "$failed" -gt 0 ] || return 0
    [ "$failed" -le 6 ] || failed=6
    delay=$((5 << failed))
    [ "$delay" -le 300 ] || delay=300
    say "try again in $delay s"
    sleep "$delay"
}

run() {
    [ ! -f "$state/first-boot.done" ] || return 0
    mkdir -p -- "$memory" "$state"
    exec 5>>"$memory/lock"
    flock --nonblock 5 || fail 'this runs already'
    back_off
    command -v curl >/dev/null || fail 'curl is not installed: take an image that has it'
    trap clean_up EXIT
    trap 'exit 143' HUP INT TERM
    # What was ended on its way left its scratch.
    rm -rf -- "$memory"/scratch.*
    scratch=$(mktemp -d "$memory/scratch.XXXXXX")
    export TMPDIR="$scratch"
    s3_credentials=$scratch/key s3_ca=''
    authorize_logins
    begin_metadata
    borrow_key
    s3_begin
    name_instance
    # A role that somebody else has made may not let it: that is told at the end, and keeps no bundle away.
    published=yes
    (publish_host_keys) || published=
    # A machine that only leads to others has no bundle.
    if [ -n "$archive_key" ]; then
        mount_volume
        put_in_force
        give_volume_to_etcd
        take_up_members
        join_cluster
    fi
    [ -n "$published" ] || fail 'the host keys are not published yet'
    write_file "$state/first-boot.done" 600 </dev/null
    sync -- "$state"
    say 'the first boot is done'
}

make_service() {
    if [ -f "$state/first-boot.done" ]; then return 0; fi
    mkdir -p -- "$state"
    write_file "$state/first-boot" 700 <"$0"
    write_file "/etc/systemd/system/$unit" 644 <<END
[Unit]
Description=Puts this machine's bundle of keelson in force
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/sh $state/first-boot run
Restart=on-failure
RestartSec=5s
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl enable --quiet -- "$unit"
    systemctl start --no-block -- "$unit"
}

case ${1:-} in
run)
    run
    systemctl disable --quiet -- "$unit"
    ;;
*) make_service ;;
esac
