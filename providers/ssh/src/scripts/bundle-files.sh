# shellcheck shell=sh
# Takes in the files of a bundle. Stands behind `fence.sh`.
#   $1     the bundle's digest, hexadecimal
#   stdin  a tar archive of its files
folder=$keelson_root/bundles/$1
rm -rf -- "$folder.new"
mkdir -p -- "$folder.new"
tar -x --no-same-owner -C "$folder.new" -f -
# What does not begin with a mark of the shell is not run.
chmod 0700 -- "$folder.new" "$folder.new/apply"
sync --file-system -- "$folder.new"
rm -rf -- "$folder"
mv -fT -- "$folder.new" "$folder"
