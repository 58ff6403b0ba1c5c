# shellcheck shell=sh
# Comes before `enter.sh` where sudo was given a password: takes from stdin what sudo has left of it, which is all of it
# where sudo did not ask.
while IFS= read -r keelson_line && [ "$keelson_line" != keelson-input-begins ]; do :; done
unset keelson_line
