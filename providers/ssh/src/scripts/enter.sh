# shellcheck shell=sh
# Comes before every script: says that it runs, as root, so that whatever else a login prints is told apart.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
printf '%s\n' keelson-begins
