#!/bin/bash
# image.sh: makes the images of the Dockerfile without Docker and tries them. Its very lines are run, in trees that
# debootstrap fills (build/image/STAGE). Then the server runs from its tree as its user, read-only, against private
# stores, and so does its health check. Needs root. MIRROR: of Debian, other than debootstrap's own.
# shellcheck disable=SC2317 # functions called by traps
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 022
trees=$PWD/build/image
stores=$trees/stores
server=

say() { printf '  %-7s%s\n' "$1" "$2"; }
die() {
  printf 'portal: %s\n' "$1" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || die "debootstrap and chroot need root."

stop_all() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || :
  [ ! -d "$stores" ] || test/dev/stores.sh stop "$stores" || :
}
trap stop_all EXIT
trap 'exit 130' INT TERM HUP

# ---- the lines of the Dockerfile ----------------------------------------------------------------

stage= # the tree that is made
folder=/
declare -A environment user command health # by stage: NAME=VALUE words, UID:GID, ENTRYPOINT and CMD, HEALTHCHECK

exec_form() { grep -oE '\[.*\]' <<<"$1" | tr -d '[]",'; }

line_from() { # base [AS name]
  stage=${3:-server}
  folder=/
  say image "stage $stage, from $1"
  rm -rf "${trees:?}/$stage"
  case $1 in
  scratch) mkdir "$trees/$stage" ;;
  debian:12-slim)
    [ -e "$trees/debian.tar" ] || {
      rm -rf "$trees/debian"
      debootstrap --variant=minbase bookworm "$trees/debian" ${MIRROR:+"$MIRROR"} >"$trees/log" 2>&1 ||
        die "debootstrap failed: $(tail -n 1 "$trees/log")"
      tar -C "$trees/debian" -cf "$trees/debian.new" . && mv "$trees/debian.new" "$trees/debian.tar"
      rm -rf "$trees/debian"
    }
    mkdir "$trees/$stage"
    tar -C "$trees/$stage" -xf "$trees/debian.tar"
    ;;
  *)
    [ -d "$trees/$1" ] || die "the Dockerfile's base $1 is not known here."
    cp -a "$trees/$1" "$trees/$stage"
    folder=/portal
    ;;
  esac
}

line_run() {
  cp /etc/resolv.conf "$trees/$stage/etc/resolv.conf"
  # A private certificate authority of this machine counts in there too.
  # shellcheck disable=SC2016
  STAGE=$trees/$stage FOLDER=$folder unshare --mount sh -c '
    mount -t proc proc "$STAGE/proc"
    mount -t tmpfs tmpfs "$STAGE/run"
    [ ! -f "${NODE_EXTRA_CA_CERTS:-}" ] || cp "$NODE_EXTRA_CA_CERTS" "$STAGE/run/authorities.pem"
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/run/authorities.pem} \
      chroot "$STAGE" /bin/sh -c "cd $FOLDER && $1"' sh "${arguments[*]} $1" >"$trees/log" 2>&1 ||
    die "RUN $1: $(tail -n 20 "$trees/log")"
}

line_copy() { # [--from=stage] source… target
  local ignored=() from=$PWD target pattern source words
  read -ra words <<<"$*"
  case ${words[0]} in
  --from=*)
    from=$trees/${words[0]#--from=}
    words=("${words[@]:1}")
    ;;
  *)
    while read -r pattern; do
      case $pattern in
      '' | \#*) ;;
      \*\*/*) ignored+=(--no-anchored --exclude="${pattern#\*\*/}") ;;
      *) ignored+=(--anchored --exclude="$pattern") ;;
      esac
    done <.dockerignore
    ;;
  esac
  target=${words[-1]}
  [ "${target:0:1}" = / ] || target=$folder/$target
  mkdir -p "$trees/$stage$target"
  for source in "${words[@]:0:${#words[@]}-1}"; do
    source=${source#/}
    if [ -d "$from/$source" ]; then
      (cd "$from" && tar -c "${ignored[@]}" "$source") | tar -x -C "$trees/$stage$target" \
        --strip-components="$(tr -cd / <<<"$source/" | wc -c)"
    else
      cp -p "$from/$source" "$trees/$stage$target"
    fi
  done
}

arguments=()
make_images() {
  local keyword rest
  mkdir -p "$trees"
  while read -r keyword rest; do
    # shellcheck disable=SC2086 # words
    case $keyword in
    '' | \#*) ;;
    FROM) line_from $rest ;;
    RUN) say run "$rest" && line_run "$rest" ;;
    COPY) line_copy "$rest" ;;
    WORKDIR) folder=$rest && mkdir -p "$trees/$stage$rest" ;;
    ARG) arguments+=("export $rest;") ;;
    ENV) environment[$stage]+=" $rest" ;;
    USER) user[$stage]=$rest ;;
    HEALTHCHECK) health[$stage]=$(exec_form "$rest") ;;
    ENTRYPOINT | CMD) command[$stage]+=" $(exec_form "$rest")" ;;
    EXPOSE) ;;
    *) die "this script does not know the Dockerfile's $keyword." ;;
    esac
  done <Dockerfile
}

# ---- the images run -------------------------------------------------------------------------------

# in_image STAGE "NAME=VALUE…" COMMAND…: as a container that is read-only, without capabilities; becomes the command.
in_image() {
  local root=$trees/$1 with=$2
  local as=${user[$1]} own=${environment[$1]:-}
  shift 2
  mkdir -p "$root/proc" "$root/run/stores"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  # shellcheck disable=SC2016,SC2086 # words
  exec env -i $own $with unshare --mount /bin/sh -c '
    root=$1 stores=$2 as=$3
    shift 3
    mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" && mount -t proc proc "$root/proc"
    [ ! -d "$stores" ] || mount --bind "$stores" "$root/run/stores"
    exec /usr/bin/setpriv --no-new-privs /usr/sbin/chroot --userspec="$as" "$root" "$@"' \
    sh "$root" "$sockets" "$as" "$@"
}

expect() { # what command…
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then say ok "$what"; else die "FAILED: $what: $out"; fi
}
not() { ! "$@"; }
says() { # text command…: ends badly and says it
  local text=$1 out
  shift
  if out=$("$@" 2>&1); then return 1; fi
  grep -q "$text" <<<"$out" || { echo "$out" && return 1; }
}
portalctl() { (in_image server "$settings" /usr/local/bin/portalctl "$@"); }

make_images
test/dev/stores.sh start "$stores" --fast >/dev/null
# shellcheck disable=SC1091
. "$stores/env"
sockets=${REDIS_URL#unix://}
sockets=${sockets%/*}
chmod 711 "$sockets" # the image's user comes in; the folders above are private
chmod 777 "$sockets"/redis.sock "$sockets"/.s.PGSQL.*
port=$((20000 + $$ % 10000))
settings="DATABASE_URL=postgresql:///portal?host=/run/stores&user=portal REDIS_URL=unix:///run/stores/redis.sock"
settings+=" SECRET_KEY=0123456789abcdef0123456789abcdef LISTEN=0.0.0.0:$port TRUSTED_PROXIES=none LOG_LEVEL=warn"

say image "$(du -sm --exclude=stores "$trees/server" | cut -f 1) MiB in $(find "$trees/server" -type f | wc -l) files"
expect "there is no shell" test -z "$(find "$trees/server" -path '*/bin/*sh')"
expect "the health check fails while there is no server" not portalctl health
expect "portalctl migrate" portalctl migrate
# shellcheck disable=SC2086 # words
(in_image server "$settings" ${command[server]}) &
server=$!
for ((i = 0; i < 100; i++)); do
  portalctl health --ready >/dev/null 2>&1 && break
  sleep 0.1
done
# shellcheck disable=SC2086 # words
expect "the health check: ${health[server]}" in_image server "$settings" ${health[server]}
expect "readiness, and a name that is resolved" portalctl health --ready --url "http://localhost:$port"
for page in /livez /readyz / /docs; do
  expect "$page" curl -sf -o /dev/null "http://127.0.0.1:$port$page"
done
expect "it runs as its user" test "$(stat -c %u:%g "/proc/$server")" = "${user[server]}"
expect "its root cannot be written to" says 'Read-only file system' portalctl backup /etc/backup
expect "portalctl doctor" portalctl doctor
kill -TERM $server
wait $server || die "FAILED: it ended with $?"
server=
say ok "SIGTERM ends it with 0"
# shellcheck disable=SC2086 # words
expect "the bots' image names the setting that is missing" says TELEGRAM_TOKEN in_image bots '' ${command[bots]}
echo "The images are as they should be."
