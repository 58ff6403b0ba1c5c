#!/bin/sh
# Answers one request, as a program of a control plane does.
read -r _ path _
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
if [ -e "/run/fake/$1-unwell" ]; then
    printf 'HTTP/1.1 500 no\r\nConnection: close\r\n\r\n[+]ping ok\n[-]etcd failed: reason withheld\n'
else
    printf 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok %s %s' "$1" "$path"
fi
