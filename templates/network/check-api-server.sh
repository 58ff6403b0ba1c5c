#!/bin/sh
# Variables: none. Tells keepalived whether the API server on this machine serves: the address stays where one does.
exec curl --silent --fail --output /dev/null --max-time 2 --cacert /etc/kubernetes/pki/ca.crt \
    --connect-to kubernetes:6443:127.0.0.1:6443 https://kubernetes:6443/readyz
