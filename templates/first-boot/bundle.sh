# shellcheck shell=sh
# Variables: none. Puts the machine's bundle in force as keelson does over SSH (`bundle-files.sh`, `mark.sh` and `bundle-apply.sh`
# in `providers/ssh/src/scripts/`). Stands behind `bundle-incoming.sh` from there and `object-store.sh`.
# shellcheck disable=SC2154 # they are set by the settings

# Bigger archives are none of keelson's.
s3_read_bytes=8388608

# True when a bundle is in force: this one, or a later one, which came over SSH while this one could not be had.
is_in_force() { [ -f "$state/bundle.json" ] && [ -L "$state/current" ]; }

# Brings the archive to $scratch/archive, in memory: there are secrets in it.
fetch_archive() {
    answer=0
    s3_read "$archive_key" >"$scratch/archive" || answer=$?
    case $answer in
    0) ;;
    4) fail "there is no $archive_key in the bucket $s3_bucket: run keelson apply" ;;
    *) exit 1 ;;
    esac
    has=$(sha256sum <"$scratch/archive")
    [ "${has%% *}" = "$archive_digest" ] ||
        fail "$archive_key is not what this machine was made for, and nothing of it is unpacked: its SHA-256 is ${has%% *}"
}

# Unpacks what is below the folder `$1` of the archive into `$2`.
unpack() { tar -xzf "$scratch/archive" -C "$2" --no-same-owner --no-same-permissions --strip-components=1 "$1"; }

take_files_in() {
    folder=$state/bundles/$bundle
    [ ! -f "$folder/apply" ] || return 0
    rm -rf -- "$folder.new"
    mkdir -p -- "$folder.new" "$state/assets"
    unpack bundle "$folder.new"
    write_own_files "$folder.new"
    chmod 0700 -- "$folder.new" "$folder.new/apply"
    sync --file-system -- "$folder.new"
    rm -rf -- "$folder"
    mv -fT -- "$folder.new" "$folder"
}

# Marks the machine as the cluster's, unless it is already.
claim_machine() {
    mark=$state/host.json
    # What the machine is known by is what AWS calls it: images may be copied with the ids that are in them.
    printf '%s\n' "${instance##*/}" | write_file "$state/instance" 644
    if [ ! -f "$mark" ]; then
        printf '%s"name":"%s","claimedAt":"%s"%s\n' "$mark_begin" "$name" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$mark_end" >"$mark.first"
        sync -- "$mark.first"
        # Of two that try at the same time, one makes the link.
        ln -- "$mark.first" "$mark" || [ -f "$mark" ]
        rm -f -- "$mark.first"
        sync -- "$state"
    fi
    sed -n '1s/^{"uid":"\([^"]*\)"[^{]*"name":"\([^"]*\)".*/\1 \2/p' "$mark" | grep -Fqx -- "$uid $name" ||
        fail "this machine is claimed already, and not as $name of this cluster: $(head -c 400 -- "$mark")"
}

# Scripts of keelson's that come over SSH wait meanwhile, and so does this one for them.
hold_fence() {
    exec 8>>"$state/fence.lock"
    flock --shared --wait 60 8 || fail 'another script of keelson runs on this machine and does not end'
}

put_in_force() {
    # A run that was killed may have left some, also when it had come to its end.
    remove_abandoned_secrets
    if is_in_force; then return 0; fi
    say 'fetch the bundle'
    fetch_archive
    hold_fence
    claim_machine
    take_files_in
    make_incoming
    tar -tzf "$scratch/archive" >"$scratch/names"
    if grep -q '^secrets/' "$scratch/names"; then unpack secrets "$incoming"; fi
    rm -f -- "$scratch/archive"
    if is_in_force; then return 0; fi
    say "apply the bundle $bundle"
    # No name has a blank in it, and each is one word.
    # shellcheck disable=SC2046
    (cd -- "$state/bundles/$bundle" && exec ./apply apply "$incoming" $(sed -n 's|^secrets/||p' "$scratch/names") 8>&- </dev/null)
}
