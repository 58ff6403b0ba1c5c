# shellcheck shell=sh
# Takes in the files of a bundle. Stands behind `fence.sh`.
#   $1     the bundle's digest, hexadecimal
#   stdin  a tar archive of its files, the last of them `whole`
folder=$keelson_root/bundles/$1
rm -rf -- "$folder.new"
mkdir -p -- "$folder.new"
tar -x --no-same-owner -C "$folder.new" -f -
# tar does not mind an archive that ends between two files, as it does when keelson is killed while it sends it.
if [ ! -e "$folder.new/whole" ]; then
    echo "the bundle did not come whole" >&2
    exit 78
fi
rm -f -- "$folder.new/whole"
# What does not begin with a mark of the shell is not run.
chmod 0700 -- "$folder.new" "$folder.new/apply"
sync --file-system -- "$folder.new"
rm -rf -- "$folder"
mv -fT -- "$folder.new" "$folder"
