#!/usr/bin/env bash
# Stands before scripts that fetch packages of Debian: from wherever this machine fetches its own, so that a mirror or a
# proxy that was set up once serves here too.

# The address of an archive that this machine uses. $1: its label, Debian or Debian-Security.
archive() {
    local targets found
    targets=$(apt-get indextargets --format "\$(LABEL)|\$(ORIGIN)|\$(REPO_URI)" 'Created-By: Packages' | sort -u)
    found=$(sed -n "s/^$1|Debian|//p" <<<"$targets" | head -n 1)
    if [[ -z $found ]]; then
        echo "apt of this machine knows no archive of $1: add one to /etc/apt/sources.list.d and run \`apt-get update\`" >&2
        return 1
    fi
    echo "$found"
}

# Settings of apt that decide whether an archive can be reached and believed.
settings() {
    echo 'Acquire::Retries "3";'
    apt-config dump | grep -E '^Acquire::(Check-Valid-Until|Check-Date|https?::(Proxy|CaInfo|Timeout))' || true
}
