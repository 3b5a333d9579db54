#!/bin/sh
# Installs the packages of one group (build, run, test, bench, image) that are missing, and for `build` sees to the
# pinned libraries: the system's when it has them, else unpacked under build/deps without a change to
# the system's sources or packages. Run from the root of the tree.
set -eu
group=$1
here=vendor
state=$PWD/build/apt # of the private apt

say() { printf '  deps   %s\n' "$1"; }
die() {
  printf 'portal: %s\n' "$1" >&2
  exit 1
}

rows() { sed 's/#.*//' "$1" | awk 'NF'; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# has_program NAME:MAJOR
has_program() {
  command -v "${1%:*}" >/dev/null 2>&1 || return 1
  # The first number that follows a space, a "v", a "=" or the line's start in what --version says.
  major=$("${1%:*}" --version 2>/dev/null | grep -oE '(^|[ v=])[0-9]+\.[0-9]' | head -n 1 |
    grep -oE '[0-9]+' | head -n 1)
  [ "${major:-0}" -ge "${1#*:}" ]
}

missing() {
  rows $here/packages.txt | while read -r of package program; do
    [ "$of" = "$group" ] || continue
    installed "$package" && continue
    [ -n "$program" ] && has_program "$program" && continue
    # Without wrk there is no bench; without the others it has fewer rows.
    if [ "$of" = bench ] && [ "$package" != wrk ] && ! candidate_at_least "$package" 0; then continue; fi
    printf '%s ' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    die "installing packages needs root: run 'apt-get install$(printf ' %s' "$packages")' as root, then try again."
  fi
}

# While packages are unpacked their services must not start: they would take the standard ports.
# Afterwards they are left disabled; Portal starts private copies.
# shellcheck disable=SC2016
install_quietly='
  set -e
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf "#!/bin/sh\nexit 101\n" >$policy
    chmod 755 $policy
    trap "rm -f $policy" EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends -y install "$@"
  if [ -d /run/systemd/system ]; then
    for p in "$@"; do
      case $p in
      postgresql | redis-server | nginx-light | haproxy | caddy | webdis) systemctl --quiet disable "${p%-light}" || : ;;
      esac
    done
  fi'

apt_install() { # packages
  command -v apt-get >/dev/null 2>&1 ||
    die "this system has no apt-get; install the equivalents of: $* (see vendor/README.md)."
  packages=$*
  mkdir -p build
  say "package lists (apt-get update)"
  as_root apt-get -qq update >build/apt.log 2>&1 || :
  say "installing: $*"
  as_root sh -c "$install_quietly" install "$@" >>build/apt.log 2>&1 || {
    grep -E '^(E|W):' build/apt.log >&2 || tail -n 5 build/apt.log >&2
    die "apt-get could not install $*; is there a network? (all of its output: build/apt.log)"
  }
}

version_at_least() { # package version
  have=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null) || return 1
  [ "${have%% *}" = installed ] && dpkg --compare-versions "${have#* }" ge "$2"
}

candidate_at_least() {
  have=$(apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
  [ -n "$have" ] && [ "$have" != "(none)" ] && dpkg --compare-versions "$have" ge "$2"
}

# The system's own sources for its release, with the suite replaced; keys and mirrors stay.
private_sources() { # suite codename
  for f in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$f" ] || awk -v suite="$1" -v codename="$2" '
      function flush(  ok) {
        ok = types ~ /(^| )deb( |$)/ && (" " suites " ") ~ (" " codename " ") &&
          (" " components " ") ~ / main / && enabled !~ /^(no|false|0)$/
        if (ok) {
          print "Types: deb"; print "Suites: " suite; print "Components: main"; print rest
        }
        types = suites = components = enabled = rest = ""; skip = 0
      }
      /^[ \t]*$/ { flush(); next }
      /^#/ { next }
      /^[ \t]/ { if (!skip) rest = rest $0 "\n"; next }
      {
        name = tolower($1); value = $0; sub(/^[^:]*:[ \t]*/, "", value); skip = 1
        if (name == "types:") types = value
        else if (name == "suites:") suites = value
        else if (name == "components:") components = value
        else if (name == "enabled:") enabled = value
        else { rest = rest $0 "\n"; skip = 0 }
      }
      END { flush() }' "$f"
  done
  for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -e "$f" ] || awk -v suite="$1" -v codename="$2" '
      $1 == "deb" && !/cdrom:/ {
        at = 2; options = ""
        if ($2 ~ /^\[/) { while ($at !~ /\]$/) { options = options $at " "; at++ } options = options $at; at++ }
        main = 0
        for (i = at + 2; i <= NF; i++) if ($i == "main") main = 1
        if ($(at + 1) != codename || !main) next
        print "Types: deb"; print "URIs: " $at; print "Suites: " suite; print "Components: main"
        gsub(/[][]/, "", options); n = split(options, option, " ")
        for (i = 1; i <= n; i++) {
          value = option[i]; sub(/^[^=]*=/, "", value); sub(/=.*/, "", option[i])
          if (option[i] == "signed-by") print "Signed-By: " value
          if (option[i] == "trusted") print "Trusted: " value
        }
        print ""
      }' "$f"
  done
}

private_apt() { # apt-get's arguments
  apt-get -qq -o Dir::Etc::sourcelist="$state/portal.sources" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::State::lists="$state/lists" \
    -o Dir::Cache="$state/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false "$@"
}

fetch() { # package version SHA-256; leaves its files under build/deps.new
  rm -f "$state"/deb/*
  (cd "$state/deb" && private_apt download "$1=$2") >"$state/log" 2>&1 || {
    tail -n 5 "$state/log" >&2
    die "$1 $2 could not be downloaded; if its suite has moved on, put the new version and checksum into vendor/pinned.txt."
  }
  printf '%s  %s\n' "$3" "$(echo "$state"/deb/*.deb)" | sha256sum --check --status ||
    die "$1 $2 does not have the checksum of vendor/pinned.txt; nothing of it was unpacked."
  dpkg-deb -x "$(echo "$state"/deb/*.deb)" build/deps.new
}

# Downloads, checks and unpacks what pinned.txt has for this architecture.
unpack_pinned() {
  architecture=$(dpkg --print-architecture)
  list=$(rows $here/pinned.txt | awk -v a="$architecture" '$5 == a')
  [ -n "$list" ] ||
    die "vendor/pinned.txt has no checksums for $architecture; add them, or use Debian 13."
  if [ "$list" = "$(cat build/deps/pinned 2>/dev/null)" ]; then return; fi
  suite=$(printf '%s\n' "$list" | awk 'NR == 1 { print $2 }')
  # shellcheck disable=SC1091
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  rm -rf "$state" build/deps.new
  mkdir -p "$state/deb" "$state/lists/partial" "$state/cache/archives/partial" build/deps.new
  private_sources "$suite" "$codename" >"$state/portal.sources"
  grep -q '^URIs:' "$state/portal.sources" ||
    die "/etc/apt names no mirror for '$codename main'; llhttp 9.2 and yyjson 0.10 come from it."
  say "llhttp and yyjson from $suite (into build/deps; the system is not changed)"
  private_apt update >"$state/log" 2>&1 || {
    tail -n 5 "$state/log" >&2
    die "the package lists of $suite could not be fetched; is there a network?"
  }
  printf '%s\n' "$list" | while read -r package _ _ version _ sum; do
    fetch "$package" "$version" "$sum"
  done
  printf '%s\n' "$list" >build/deps.new/pinned
  rm -rf build/deps "$state"
  mv build/deps.new build/deps
}

# Decides where each pinned library comes from; build/lib/portal is what programs are linked with.
pinned_libraries() {
  from_system=
  unpack=no
  for row in $(rows $here/pinned.txt | awk '$1 ~ /-dev$/ { print $1 "=" $3 }' | sort -u); do
    if version_at_least "${row%=*}" "${row#*=}"; then continue; fi
    if candidate_at_least "${row%=*}" "${row#*=}"; then
      from_system="$from_system ${row%=*}"
    else
      unpack=yes
    fi
  done
  mkdir -p build/lib
  rm -rf build/lib/portal
  if [ $unpack = yes ]; then
    unpack_pinned
    ln -s "../deps/usr/lib/$(basename "$(echo build/deps/usr/lib/*-linux-gnu*)")" build/lib/portal
  else
    # shellcheck disable=SC2086
    [ -z "$from_system" ] || apt_install $from_system
    rm -rf build/deps
    mkdir build/lib/portal
  fi
}

packages=$(missing)
# shellcheck disable=SC2086
[ -z "$packages" ] || apt_install $packages
[ "$group" != build ] || pinned_libraries
