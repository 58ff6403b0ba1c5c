# shellcheck shell=sh
# Takes in a part of a file: of an asset, or of a snapshot. Stands behind `fence.sh`, `alone.sh` and `sha256.sh`.
#   $1     the file's digest, hexadecimal
#   $2     how much of it must be there already
#   $3     `last` for the last part, otherwise `more`
#   stdin  the part
# Ends with 78 when what has come is torn or damaged: it is taken away, and the file has to be sent anew.
alone "$keelson_root/assets" 60
file=$keelson_root/assets/$1
[ ! -f "$file" ] || exit 0
size=0
[ ! -f "$file.upload" ] || size=$(stat -c %s -- "$file.upload")
if [ "$size" != "$2" ]; then
    rm -f -- "$file.upload"
    echo "there are $size bytes of the file where $2 should be" >&2
    exit 78
fi
cat >>"$file.upload"
[ "$3" = last ] || exit 0
if [ "$(sha256 <"$file.upload")" != "$1" ]; then
    rm -f -- "$file.upload"
    echo "it was damaged on the way: its SHA-256 is not $1" >&2
    exit 78
fi
sync -- "$file.upload"
mv -f -- "$file.upload" "$file"
