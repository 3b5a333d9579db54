#!/bin/sh
# image.sh DIR PROGRAM…: puts into the root DIR, beside programs that are installed there, what they need to run with
# nothing else: the libraries that they load, the loader, certificate authorities, and the user they run as.
set -eu
root=${1:?a root of its own}
shift

ldd "$@" | grep -oE '/[^ :]+ \(' | cut -d ' ' -f 1 | sort -u | while read -r file; do
  case $file in
  "$root"/*) continue ;; # a library of our own
  esac
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
done

mkdir -p "$root/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'portal:x:10001:10001::/:' >"$root/etc/passwd"
echo 'portal:x:10001:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
