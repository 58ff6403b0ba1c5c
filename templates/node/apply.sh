#!/bin/sh
# Variables: none. This script is the same in every bundle; what it does stands beside it in the file `actions`.
#
# Usage, as root:
#   apply           install the bundle that the script lies in, in place of the one in force; secrets stay as they are
#   apply apply FOLDER [NAME...]
#                   the same, with the secrets NAME... that have come in FOLDER, which is removed afterwards
#   apply remove    take away everything that the bundle in force installed
#
# It can be run any number of times. It changes only what differs, replaces each file in one step, restarts only what
# uses a file that changed, and prints a line an action. When it fails on the way, the bundle that was in force is put
# back. A file of someone else that stands in the way is kept, and comes back when keelson's goes.
#
# Actions, a line each, fields separated by tabs, `-` for none:
#   proxy      URL HOSTS                                for downloads, but from these hosts, separated by commas
#   user       NAME HOME
#   directory  PATH MODE OWNER GROUP
#   asset      SHA256 URL NAME ARCHITECTURE             `-` where keelson carries it here
#   file       PATH MODE OWNER GROUP SOURCE UNITS
#   unpack     PATH MODE SHA256 MEMBER UNITS ARCHITECTURE  one member of a .tar.gz asset
#   install    PATH MODE SHA256 UNITS ARCHITECTURE      an asset that is a program
#   secret     PATH MODE OWNER GROUP NAME UNITS         comes as NAME when it is new
#   unit       NAME MODE SOURCE                         who makes what it serves starts it
#   module     NAME                                     a module that the kernel is to have loaded
#   sysctl     PATH                                     settings of the kernel, in that file
#   start      NAME                                     a unit that runs from now on, once all files are there
#   image      NAME                                     an image that containerd fetches, once it runs
#   fetch                                               what follows needs the images: where containerd runs already, they
#                                                       come first
set -eu
umask 077
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

root=/var/lib/keelson
units=/etc/systemd/system
tab=$(printf '\t')
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || :)
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64 | arm64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
work='' placing=''

# Whoever listens may hang up, and the work goes on.
say() { printf 'keelson: %s\n' "$*" || :; }
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# True when keelson put `$2` of the kind `$1` there.
is_ours() { [ -f "$root/installed" ] && grep -Fqx -- "$1$tab$2" "$root/installed"; }

note_installed() { printf '%s\t%s\n' "$1" "$2" >>"$work/installed"; }

# Writes down that `$2` of the kind `$1` is keelson's before it is there: should the power go between the two, it is not
# taken for someone else's afterwards.
claim() {
    is_ours "$1" "$2" && return 0
    printf '%s\t%s\n' "$1" "$2" >>"$root/installed"
    sync -- "$root/installed"
}

# Writes down that the units `$1` have to be restarted, before what they read is changed: whoever ends this run between the
# two finds them written down, with the boot that they were written down in: what runs after another has read what is there.
note_restarts() {
    [ "$1" = - ] || printf '%s\n' "$1" | tr ',' '\n' | sed "s/\$/$tab$boot/" >>"$root/restarts"
}

is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# Makes `staged` the place where what is to be at `$1` is made ready: beside it, and hidden. Kubelet runs every file in its
# folder of manifests but those whose names begin with a dot (`extractFromDir` in its pkg/kubelet/config/file.go).
stage() { staged=${1%/*}/.${1##*/}.keelson-new; }

# Puts a copy of `$1` at `$2`, as it is, in one step.
copy_whole() {
    stage "$2"
    rm -rf -- "$staged"
    cp -a -- "$1" "$staged"
    # A link may lead nowhere from there, and nobody could sync what it leads to.
    [ -L "$staged" ] || sync -- "$staged"
    mv -fT -- "$staged" "$2"
    sync -- "$(dirname -- "$2")"
}

# Keeps what someone else has at `$1`, in place of what was kept of an earlier time.
set_aside() {
    if is_there "$1" && ! is_ours file "$1" && ! is_ours unit "${1##*/}"; then
        say "set aside $1"
        mkdir -p -- "$root/aside$(dirname -- "$1")"
        copy_whole "$1" "$root/aside$1"
    fi
}

# Puts the file `$1` at `$2` with mode, owner and group, for the units `$6` that read it when they start. It is noted as `$7`
# of the kind `$8`, which is a file unless something else is said. Never call it in a condition: there the shell would go on
# after a command that failed.
place() {
    [ ! -d "$2" ] || fail "$2 is a directory, and keelson needs a file there: move it away"
    set_aside "$2"
    claim "${8:-file}" "${7:-$2}"
    if [ -f "$2" ] && [ ! -L "$2" ] && cmp -s -- "$1" "$2"; then
        [ "$(stat -c '%a %U %G' -- "$2")" != "$3 $4 $5" ] || return 0
        note_restarts "$6"
        chown -- "$4:$5" "$2"
        chmod -- "$3" "$2"
        say "set owner and mode of $2"
        return 0
    fi
    stage "$2"
    placing=$staged
    cp -- "$1" "$placing"
    chown -- "$4:$5" "$placing"
    chmod -- "$3" "$placing"
    sync -- "$placing"
    note_restarts "$6"
    mv -f -- "$placing" "$2"
    placing=""
    say "write $2"
}

has_digest() { [ "$(sha256sum -- "$1" | cut -d ' ' -f 1)" = "$2" ]; }

# Downloads `$1` into `$2`, going on with what is there of it. No asset has more than 1 GiB, in blocks of 512 bytes.
download() (
    ulimit -f 2097152 || :
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 4 --retry-delay 1 --connect-timeout 15 \
            --speed-limit 1000 --speed-time 30 --max-time 1200 --continue-at - --output "$2" -- "$1"
    elif command -v wget >/dev/null; then
        wget --quiet --continue --tries=5 --timeout=30 --output-document="$2" -- "$1"
    else
        fail "neither curl nor wget is installed: install one, or name a directory in assets.files"
    fi
)

# Ends where `$3` does not come from `$1`. What there is of it in `$2` is kept for the next time, unless there was no room for it
# (curl: 23; wget: 3), or it has no end (128 and SIGXFSZ).
cannot_download() {
    case $status in
    3 | 23 | 153) rm -f -- "$2" ;;
    esac
    fail "cannot download $3 from $1"
}

# Downloads `$3` from `$1` into `$2`, with the digest `$4`. Where an earlier download was cut short, this one goes on from
# there.
fetch_asset() {
    if [ -s "$2" ]; then
        if has_digest "$2" "$4"; then return 0; fi
        say "go on with the download of $3"
        status=0
        download "$1" "$2" || status=$?
        if has_digest "$2" "$4"; then return 0; fi
        case $status in
        # It was the beginning of something else, or the server has no parts (curl: 22, 33, 36; wget: 8): begin anew.
        0 | 8 | 22 | 33 | 36) rm -f -- "$2" ;;
        *) cannot_download "$@" ;;
        esac
    fi
    say "download $3"
    status=0
    download "$1" "$2" || status=$?
    [ "$status" -eq 0 ] || cannot_download "$@"
    if has_digest "$2" "$4"; then return 0; fi
    rm -f -- "$2"
    fail "$1 is not the $3 that was planned: its SHA-256 is not $4"
}

do_proxy() {
    export http_proxy="$1" https_proxy="$1"
    case $2 in
    - | '') ;;
    *) export no_proxy="$2" ;;
    esac
}

do_user() {
    made=
    if ! getent passwd "$1" >/dev/null; then
        say "add user $1"
        claim user "$1"
        useradd --system --user-group --no-create-home --home-dir "$2" --shell /usr/sbin/nologin "$1"
        made=yes
    fi
    if [ -n "$made" ] || is_ours user "$1"; then
        note_installed user "$1"
    fi
}

# Makes `$1` and what is missing above it, and notes what of that is keelson's: whoever makes a folder takes it away again.
make_directory() {
    if [ "$1" = / ]; then return 0; fi
    make_directory "$(dirname -- "$1")"
    if [ ! -d "$1" ]; then
        say "make $1"
        claim directory "$1"
        mkdir -m 755 -- "$1"
    fi
    if is_ours directory "$1"; then note_installed directory "$1"; fi
}

# Says what was written down of the directory or the file `$1`, which someone else made: the line of its mode and owners before
# keelson changed them.
access_before() {
    [ ! -f "$root/installed" ] || awk -F "$tab" -v path="$1" '$1 == "access" && $2 == path' "$root/installed"
}

do_directory() {
    make_directory "$1"
    if [ "$(stat -L -c '%a %U %G' -- "$1")" != "$2 $3 $4" ]; then
        if ! is_ours directory "$1" && [ -z "$(access_before "$1")" ]; then
            claim access "$1$tab$(stat -L -c '%a %u:%g' -- "$1")"
        fi
        chown -- "$3:$4" "$1"
        chmod -- "$2" "$1"
    fi
    access_before "$1" >>"$work/installed"
}

do_asset() {
    file=$root/assets/$1
    if [ -f "$file" ]; then
        if has_digest "$file" "$1"; then return 0; fi
        say "remove damaged $3"
        rm -f -- "$file"
    fi
    [ "$2" != - ] || fail "$3 is not in $root/assets: keelson carries it there, so run keelson again"
    fetch_asset "$2" "$file.part" "$3" "$1"
    mv -f -- "$file.part" "$file"
}

# Notes the file `$1`, which stays as it is until another bundle comes: secrets come anew at any time.
note_file() {
    note_installed file "$1"
    printf '%s\n' "$1" >>"$work/files"
}

do_file() {
    place "$here/$5" "$1" "$2" "$3" "$4" "$6"
    note_file "$1"
}

# True when `$1` is what the member `$3` of the asset `$2` was when it was unpacked, with the mode `$4`.
is_unpacked() {
    if [ ! -f "$1" ] || [ -L "$1" ] || ! is_ours file "$1"; then return 1; fi
    [ "$(stat -c '%a %U %G' -- "$1")" = "$4 root root" ] || return 1
    grep -Fqxs -- "$2$tab$3$tab$(sha256sum -- "$1" | cut -d ' ' -f 1)" "$root/unpacked"
}

unpack() {
    archive=$work/$3
    if [ ! -d "$archive" ]; then
        # All that is wanted of it at once.
        mkdir -- "$archive"
        awk -F "$tab" -v asset="$3" '$1 == "unpack" && $4 == asset { print $5 }' "$here/actions" >"$work/members"
        tar -xzf "$root/assets/$3" -C "$archive" --no-same-owner -T "$work/members" ||
            fail "the asset $3 lacks what is wanted of it: $(tr '\n' ' ' <"$work/members")"
    fi
    place "$archive/$4" "$1" "$2" root root "$5"
    printf '%s\t%s\t%s\n' "$3" "$4" "$(sha256sum -- "$archive/$4" | cut -d ' ' -f 1)" >>"$root/unpacked"
    rm -f -- "$archive/$4"
}

# Large archives are not unpacked again where what they held is in place.
do_unpack() {
    if ! is_unpacked "$1" "$3" "$4" "$2"; then
        unpack "$1" "$2" "$3" "$4" "$5"
    fi
    note_file "$1"
}

do_install() {
    place "$root/assets/$3" "$1" "$2" root root "$4"
    note_file "$1"
}

# A program that this machine cannot run must not be missed in silence: of each file, as it is called without its
# architecture, there is one that it can.
check_architecture() {
    awk -F "$tab" -v wanted="$architecture" '
        $1 == "asset" { name = $4; sub(/ for [^ ]*$/, "", name); seen[name] = 1; if ($5 == wanted) there[name] = 1 }
        END { for (name in seen) if (!(name in there)) print name }
    ' "$here/actions" >"$work/lacking"
    [ ! -s "$work/lacking" ] || fail "the bundle has nothing for $architecture of: $(tr '\n' ',' <"$work/lacking")"
}

# Writes down where the secrets go that have come, before the first of them is in place: a certificate and its key are two
# files, and whoever finds them after this run was ended between the two must not take them for a pair.
await_secrets() {
    awk -F "$tab" 'NR == FNR { announced[$0] = 1; next } $1 == "secret" && ($6 in announced) { print $2 }' \
        "$work/announced" "$here/actions" >"$work/awaited"
    [ -s "$work/awaited" ] || return 0
    { cat -- "$root/awaited" 2>/dev/null || :; cat -- "$work/awaited"; } | sort -u >"$root/awaited.new"
    sync -- "$root/awaited.new"
    mv -f -- "$root/awaited.new" "$root/awaited"
    sync -- "$root"
}

do_secret() {
    if grep -Fqx -- "$5" "$work/announced"; then
        [ -f "$incoming/$5" ] || fail "$5 was to come for $1 and is not there: run keelson again"
        place "$incoming/$5" "$1" "$2" "$3" "$4" "$6"
    elif [ ! -f "$1" ]; then
        fail "$1 is missing and did not come: run keelson again"
    elif ! is_ours file "$1"; then
        adopt "$1" "$2" "$3" "$4" "$6"
        return 0
    fi
    note_installed file "$1"
}

# Lets the unit `$5` read the file `$1`, which somebody else has put there and renews: with the mode `$2`, the owner `$3` and the
# group `$4`. It stays theirs.
adopt() {
    if [ "$(stat -L -c '%a %U %G' -- "$1")" != "$2 $3 $4" ]; then
        if [ -z "$(access_before "$1")" ]; then
            claim access "$1$tab$(stat -L -c '%a %u:%g' -- "$1")"
        fi
        note_restarts "$5"
        chown -- "$3:$4" "$1"
        chmod -- "$2" "$1"
        say "set owner and mode of $1"
    fi
    access_before "$1" >>"$work/installed"
}

do_unit() {
    place "$here/$3" "$units/$1" "$2" root root "$1" "$1" unit
    note_installed unit "$1"
    printf '%s\n' "$units/$1" >>"$work/files"
}

# Where the kernel has it built in, modprobe says so and is content.
do_module() {
    [ ! -d "/sys/module/$1" ] || return 0
    modprobe -- "$1" || fail "the kernel has no module $1: install the package with the modules of $(uname -r)"
}

do_sysctl() {
    sysctl --quiet --load="$1" || fail "the kernel does not take the settings in $1"
}

each_action() {
    while IFS="$tab" read -r verb a b c d e f; do
        case $verb in
        proxy) do_proxy "$a" "$b" ;;
        user) do_user "$a" "$b" ;;
        directory) do_directory "$a" "$b" "$c" "$d" ;;
        asset) if [ "$d" = "$architecture" ]; then do_asset "$a" "$b" "$c"; fi ;;
        file) do_file "$a" "$b" "$c" "$d" "$e" "$f" ;;
        unpack) if [ "$f" = "$architecture" ]; then do_unpack "$a" "$b" "$c" "$d" "$e"; fi ;;
        secret) do_secret "$a" "$b" "$c" "$d" "$e" "$f" ;;
        install) if [ "$e" = "$architecture" ]; then do_install "$a" "$b" "$c" "$d"; fi ;;
        unit) do_unit "$a" "$b" "$c" ;;
        module) do_module "$a" ;;
        sysctl) do_sysctl "$a" ;;
        start) printf '%s\n' "$a" >>"$work/starts" ;;
        image) printf '%s\n' "$a" >>"$work/images" ;;
        fetch) fetch_ahead ;;
        '' | '#'*) ;;
        *) fail "this bundle asks for \`$verb\`, which its script does not know" ;;
        esac
    done <"$here/actions"
}

# Takes away what was installed before and is not in the new list: the last first.
prune() {
    [ -f "$root/installed" ] || return 0
    grep -Fvx -f "$work/installed" -- "$root/installed" >"$work/gone" || :
    sed '1!G;h;$!d' "$work/gone" >"$work/gone-last-first"
    while IFS="$tab" read -r kind what before; do
        path=$what
        case $kind in
        unit)
            path=$units/$what
            say "stop $what"
            systemctl disable --now -- "$what" >/dev/null 2>&1 || :
            systemctl reset-failed -- "$what" >/dev/null 2>&1 || :
            case $what in
            # systemd remembers when it elapsed last.
            *.timer) systemctl clean --what=state -- "$what" >/dev/null 2>&1 || : ;;
            esac
            reload=yes
            ;;
        user)
            say "remove user $what"
            userdel -- "$what" 2>/dev/null || :
            continue
            ;;
        directory)
            rmdir -- "$what" 2>/dev/null || :
            continue
            ;;
        access)
            [ -e "$what" ] || continue
            say "set owner and mode of $what back"
            chown -- "${before#* }" "$what"
            chmod -- "${before% *}" "$what"
            continue
            ;;
        esac
        # What a run that was ended there had not put in its place yet.
        stage "$path"
        rm -rf -- "$staged"
        if is_there "$root/aside$path"; then
            say "put back $path"
            # It stays aside as long as what is here counts as keelson's.
            copy_whole "$root/aside$path" "$path"
            printf '%s\n' "$path" >>"$work/returned"
        else
            say "remove $path"
            rm -f -- "$path"
        fi
    done <"$work/gone-last-first"
}

# Restarts the unit $1, which was $2. One that was not up may need others to be up, on other machines: after a while it is
# left to itself.
restart() {
    if [ "$2" = active ]; then
        systemctl restart -- "$1"
        return
    fi
    status=0
    timeout 20 systemctl restart -- "$1" || status=$?
    [ "$status" -eq 0 ] || [ "$status" -eq 124 ]
}

# All that has to be restarted, or of that the unit `$1`.
restart_what_changed() {
    # Of what is to be restarted the unit itself may have changed.
    if [ -n "$reload" ] || [ -f "$root/restarts" ]; then systemctl daemon-reload; fi
    [ -f "$root/restarts" ] || return 0
    awk -F "$tab" -v boot="$boot" -v only="$1" '($2 == "" || $2 == boot) && (only == "" || $1 == only) { print $1 }' \
        "$root/restarts" | sort -u >"$work/restarts-once"
    while read -r unit; do
        # What a timer starts begins anew by itself, and how it ends is no matter of what is installed.
        [ -z "$(systemctl show --property=TriggeredBy --value -- "$unit")" ] || continue
        state=$(systemctl is-active -- "$unit" || :)
        case $state in
        inactive | unknown | '') ;;
        *)
            say "restart $unit"
            restart "$unit" "$state" || fail "$unit does not start: $(last_words "$unit")"
            ;;
        esac
    done <"$work/restarts-once"
    awk -F "$tab" -v only="$1" 'only != "" && $1 != only' "$root/restarts" >"$root/restarts.new"
    mv -f -- "$root/restarts.new" "$root/restarts"
    [ -s "$root/restarts" ] || rm -f -- "$root/restarts"
}

# What is to run runs, from now on and from each boot on.
start_what_is_to_run() {
    [ -f "$work/starts" ] || return 0
    while read -r unit; do
        systemctl is-enabled --quiet -- "$unit" 2>/dev/null || systemctl enable --quiet -- "$unit"
        systemctl is-active --quiet -- "$unit" && continue
        say "start $unit"
        systemctl start -- "$unit" || fail "$unit does not start: $(last_words "$unit")"
    done <"$work/starts"
}

# Fetches the image $1, with its last words in the file $2 when that fails.
fetch_image() {
    ! crictl inspecti --quiet "$1" >/dev/null 2>&1 || return 0
    say "fetch $1"
    echo "crictl ended without a word on $1" >"$2"
    timeout 600 crictl pull --pull-timeout 590s "$1" >/dev/null 2>>"$2" && rm -f -- "$2"
}

fetch_images() {
    [ -f "$work/images" ] || return 0
    PATH=/opt/keelson/bin:$PATH
    count=0
    while read -r image; do
        count=$((count + 1))
        # Whoever comes after this script, should it be ended here, need not wait for what it fetches.
        fetch_image "$image" "$work/image-$count" </dev/null 9>&- &
    done <"$work/images"
    wait
    for words in "$work"/image-*; do
        [ ! -s "$words" ] || fail "cannot fetch an image: $(tail -n 1 -- "$words")"
    done
}

# Kubelet ends a pod as soon as its manifest changes: where pods run, the next one's image is there by then, or the pod stays.
fetch_ahead() {
    systemctl is-active --quiet -- containerd.service || return 0
    restart_what_changed containerd.service
    fetch_images
    rm -f -- "$work/images"
}

# A line each; of lines in JSON what they say and the error.
last_words() {
    journalctl --unit "$1" --lines 5 --no-pager --output cat 2>/dev/null |
        sed -e 's/^{.*"msg":"\([^"]*\)".*"error":"\([^"]*\)".*/\1: \2/' -e 's/^{.*"msg":"\([^"]*\)".*/\1/' | cut -c 1-200 || :
}

link() {
    ln -sfn -- "$1" "$root/$2.new"
    mv -fT -- "$root/$2.new" "$root/$2"
}

# Keeps of what is known of unpacked members that of assets that are still there.
forget_unpacked() {
    sort -u "$root/unpacked" | while IFS="$tab" read -r asset member; do
        [ ! -e "$root/assets/$asset" ] || printf '%s\t%s\n' "$asset" "$member"
    done >"$root/unpacked.new"
    mv -f -- "$root/unpacked.new" "$root/unpacked"
}

# Writes down how the files of the bundle are, so that whoever looks sees when one is not what it was.
note_states() {
    tr '\n' '\0' <"$work/files" | xargs -0 -r stat -c "%s %Y %a %u %g$tab%n" -- >"$root/files.new"
    sync -- "$root/files.new"
    mv -f -- "$root/files.new" "$root/files"
}

# Writes down what is in force, and lets go of bundles and assets that neither it nor the one before uses.
record() {
    digest=${here##*/}
    running=$(readlink -- "$root/current" || :)
    if [ "$running" != "bundles/$digest" ]; then
        [ -z "$running" ] || link "$running" previous
        link "bundles/$digest" current
    fi
    sync -- "$work/installed"
    mv -f -- "$work/installed" "$root/installed"
    note_states
    cp -- "$here/record.json" "$root/bundle.json.new"
    sync -- "$root/bundle.json.new"
    mv -f -- "$root/bundle.json.new" "$root/bundle.json"
    [ -z "$incoming" ] || rm -f -- "$root/awaited"
    sync -- "$root"
    if [ -f "$work/returned" ]; then
        while IFS= read -r path; do rm -rf -- "$root/aside$path"; done <"$work/returned"
    fi
    before=$(readlink -- "$root/previous" || :)
    for bundle in "$root"/bundles/*; do
        case bundles/${bundle##*/} in
        "bundles/$digest" | "$before") ;;
        *) rm -rf -- "$bundle" ;;
        esac
    done
    for asset in "$root"/assets/*; do
        [ -e "$asset" ] || continue
        grep -qF -- "${asset##*/}" "$root"/bundles/*/actions || rm -f -- "$asset"
    done
    [ ! -f "$root/unpacked" ] || forget_unpacked
}

# What was in force is in force again when this bundle could not be.
put_back() {
    status=$?
    trap - EXIT
    # What came for this run goes with it, whatever becomes of it.
    [ -z "$incoming" ] || rm -rf -- "$incoming"
    # First of all: the disk may be full, and the bundle that was in force needs room. What was made on the way was written
    # down before it was there.
    [ -z "$work" ] || rm -rf -- "$work"
    [ -z "$placing" ] || rm -f -- "$placing"
    if [ "$status" -ne 0 ] && [ -n "$work" ]; then
        running=$(readlink -- "$root/current" || :)
        if [ -z "${KEELSON_PUTS_BACK:-}" ] && [ -n "$running" ] && [ "$running" != "bundles/${here##*/}" ]; then
            say "put back the bundle that was in force"
            KEELSON_PUTS_BACK=yes "$root/$running/apply" || :
        fi
    fi
    exit "$status"
}

what=${1:-apply} incoming=${2:-}
shift $(($# > 2 ? 2 : $#))
trap put_back EXIT
trap '' PIPE
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p -- "$root/assets"
if [ -z "${KEELSON_PUTS_BACK:-}" ]; then
    exec 9>"$root/lock"
    flock --wait 60 9 || fail "another apply script runs on this machine"
fi
rm -rf -- "$root"/work.*
work=$(mktemp -d "$root/work.XXXXXX")
printf '%s\n' "$@" >"$work/announced"
: >"$work/installed"
: >"$work/files"
reload=

case $what in
apply)
    check_architecture
    await_secrets
    each_action
    prune
    restart_what_changed ''
    start_what_is_to_run
    fetch_images
    record
    ;;
remove)
    prune
    [ -z "$reload" ] || systemctl daemon-reload
    rm -f -- "$root/installed" "$root/files" "$root/unpacked" "$root/restarts" "$root/awaited" "$root/bundle.json" "$root/current" "$root/previous"
    rm -rf -- "$root/bundles" "$root/assets" "$root/aside"
    ;;
*) fail "usage: apply [apply [FOLDER [NAME...]] | remove]" ;;
esac
