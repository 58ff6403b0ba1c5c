#!/usr/bin/env bash
# Takes a lab down when its owner is gone, however the owner went, or when its time is up.
#
#   guard.sh RECORD SECONDS
#
# Standard input is a pipe whose other end only the owner holds: end of file says that the owner closed it, or died.
# The word `detached` says that from then on there is no owner, and only the lab's time counts.
set -uo pipefail
trap '' HUP INT TERM
record=$1
seconds=$2

read -r line </proc/$$/stat
read -r -a fields <<<"${line##*) }"
self="$$ ${fields[19]}"
echo "$self" >"$record/guard"

# Another lab of the same name may stand there by then.
still_mine() {
    [[ -e $record/guard && $(<"$record/guard") == "$self" ]]
}

word=
read -r -t "$seconds" word
if [[ $word == detached ]]; then
    # In slices, so that no sleep is left for half an hour when the lab went before.
    while still_mine && ((SECONDS < seconds)); do
        sleep 1
    done
fi
still_mine || exit 0
exec bash "$record/down.sh" "$record"
