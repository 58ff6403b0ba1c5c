# shellcheck shell=sh
# Stands before scripts that have etcdutl do something.

# Ends with `$1`, with which etcdutl has ended; with 1 where a signal has ended it: a script that ends so is taken for one whose time
# was over.
end_as_etcdutl() {
    if [ "$1" -gt 128 ]; then
        echo "signal $(($1 - 128)) has ended etcdutl: see whether memory is short (dmesg)" >&2
        exit 1
    fi
    exit "$1"
}
