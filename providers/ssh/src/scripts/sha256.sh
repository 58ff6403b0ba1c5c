# shellcheck shell=sh
# Stands before scripts that compute the SHA-256 of files that may have gigabytes.

# Says the SHA-256 of what comes by stdin. Where there is an openssl that works it has the processor's own instructions compute it,
# which takes a third of what coreutils' sha256sum takes.
sha256() {
    if openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; then
        openssl dgst -sha256 -r | cut -d ' ' -f 1
    else
        sha256sum | cut -d ' ' -f 1
    fi
}
