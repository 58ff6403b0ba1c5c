#!/usr/bin/env bash
# Makes a mirror of upstream's releases of etcd out of Debian's packages: for each version
# github.com/etcd-io/etcd/releases/download/v<VERSION>/etcd-v<VERSION>-linux-<ARCHITECTURE>.tar.gz, and SHA256SUMS.
#
#   assets.sh FOLDER     FOLDER must not exist; apt.sh stands before this
#
# The versions are those of the suites below; two, so that there is something to upgrade from. The same packages give the
# same bytes.
set -euo pipefail
folder=$1
suites=(trixie sid)
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# apt with lists and settings of its own: this machine's are left as they are.
private_apt() {
    local program=$1
    shift
    APT_CONFIG="$work/apt.conf" "$program" "$@"
}

prepare_apt() {
    local suite main
    main=$(archive Debian)
    mkdir -p "$work"/{lists/partial,cache/archives/partial}
    for suite in "${suites[@]}"; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $main $suite main"
    done >"$work/sources.list"
    {
        settings
        cat <<END
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
APT::Update::Post-Invoke "";
APT::Update::Post-Invoke-Success "";
APT::Sandbox::User "root";
END
    } >"$work/apt.conf"
    private_apt apt-get --quiet update
}

# $1: suite. Adds what it has, unless another suite had the same.
add_etcd() {
    local unpacked=$work/$1 version name target
    mkdir -p "$unpacked"
    (cd "$unpacked" && private_apt apt-get --quiet download "etcd-server/$1" "etcd-client/$1")
    find "$unpacked" -name '*.deb' -exec dpkg --extract {} "$unpacked/root" \;
    version=$("$unpacked/root/usr/bin/etcd" --version | sed -n 's/^etcd Version: //p')
    target=$folder/github.com/etcd-io/etcd/releases/download/v$version
    name=etcd-v$version-linux-$architecture
    [[ ! -e $target ]] || return 0
    mkdir -p "$target" "$unpacked/$name"
    install -m 755 "$unpacked"/root/usr/bin/{etcd,etcdctl,etcdutl} "$unpacked/$name/"
    tar --create --directory "$unpacked" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "$name" |
        gzip --no-name --fast >"$target/$name.tar.gz"
    (cd "$target" && sha256sum "$name.tar.gz" >SHA256SUMS)
}

prepare_apt
for suite in "${suites[@]}"; do
    add_etcd "$suite"
done
