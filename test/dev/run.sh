#!/bin/bash
# `make run`: private stores under .portal/ (or those of DATABASE_URL and REDIS_URL), the schema, portald,
# a demo bot per platform, and what to type next. Ctrl-C stops what this script started, in reverse.
#
# .portal/: postgres, redis, log (see stores.sh), secret-key, bots (a "platform key" line each), lock, and
# children (a "pid start" line each, for the case that this script is killed before it can clean up).
# shellcheck disable=SC2317 # functions called by traps
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 077
programs=${1:-build/release}
export LISTEN=${LISTEN:-127.0.0.1:8080}
state=.portal

say() { printf '  %-7s%s\n' "$1" "$2"; }
die() {
  printf 'portal: %s\n' "$1" >&2
  exit 1
}

mkdir -p $state
exec 9>$state/lock
flock -n 9 || die "'make run' is already running in this tree; stop it there first."

portald=
demo=
stores=()

# Waits for a child; after the seconds in $2 it is killed.
end() {
  kill -TERM "$1" 2>/dev/null || return 0
  local i
  for ((i = 0; i < $2 * 20; i++)); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$1" 2>/dev/null || :
  wait "$1" 2>/dev/null || :
}

# When a process was started, in clock ticks since boot: with the pid, its identity.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
remember() { echo "$1 $(started "$1")" >>$state/children; }

stop_all() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  if [ -n "$portald$demo" ] || [ ${#stores[@]} -gt 0 ]; then
    printf '\n'
    say stop "what was started here"
  fi
  [ -z "$demo" ] || end "$demo" 2
  [ -z "$portald" ] || end "$portald" 15
  rm -f "$state"/children
  [ ${#stores[@]} = 0 ] || test/dev/stores.sh stop "$state" "${stores[@]}" || :
  exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT TERM HUP

# What a killed run has left.
while read -r pid start; do
  if [ -n "$start" ] && [ "$(started "$pid")" = "$start" ]; then
    say stop "what the last run left (process $pid)"
    end "$pid" 15
  fi
done < <(cat $state/children 2>/dev/null)
rm -f "$state"/children

# ---- stores -------------------------------------------------------------------------------------

given_database=${DATABASE_URL:-}
given_redis=${REDIS_URL:-}
if [ -z "$given_database" ] || [ -z "$given_redis" ]; then
  what=both
  [ -z "$given_database" ] || what=redis
  [ -z "$given_redis" ] || what=postgres
  say stores "starting the private PostgreSQL and Redis (data in $state/)"
  stores=(--only "$what")
  test/dev/stores.sh start $state "${stores[@]}" 9>&-
  # shellcheck disable=SC1091
  . $state/env
fi
export DATABASE_URL=${given_database:-$DATABASE_URL} REDIS_URL=${given_redis:-$REDIS_URL}

if [ -z "${SECRET_KEY:-}${SECRET_KEY_FILE:-}" ]; then
  [ -s $state/secret-key ] || head -c 32 /dev/urandom | base64 >$state/secret-key
  export SECRET_KEY_FILE=$PWD/$state/secret-key
fi

say schema "migrating"
"$programs/portalctl" migrate 9>&- || die "the database could not be migrated; the line above says why."

# ---- portald --------------------------------------------------------------------------------------

url=http://$LISTEN
port=${LISTEN##*:}
case $LISTEN in
unix:*)
  url=http://localhost
  curl=(curl --unix-socket "${LISTEN#unix:}")
  ;;
*)
  curl=(curl)
  if (exec 3<>"/dev/tcp/${LISTEN%:*}/$port") 2>/dev/null; then
    die "$LISTEN is in use by another program; stop that, or choose another port: LISTEN=127.0.0.1:8081 make run"
  fi
  ;;
esac

"$programs/portald" 9>&- &
portald=$!
remember $portald
ready=no
for ((i = 0; i < 200; i++)); do
  kill -0 $portald 2>/dev/null || break
  if "${curl[@]}" -sf -o /dev/null --max-time 2 "$url/readyz"; then
    ready=yes
    break
  fi
  sleep 0.05
done
if [ $ready = no ]; then
  kill -0 $portald 2>/dev/null || portald=
  die "portald did not get ready; its last lines above say why."
fi

# ---- demo bots --------------------------------------------------------------------------------------

touch $state/bots
keep=$(mktemp $state/bots.XXXXXX)
IFS=, read -ra platforms <<<"${PLATFORMS:-discord,telegram}"
for platform in "${platforms[@]}"; do
  key=$(awk -v p="$platform" '$1 == p { print $2 }' $state/bots)
  # A key of another database is of no use here.
  if [ -z "$key" ] ||
    ! "${curl[@]}" -sf -o /dev/null --max-time 5 -H "X-API-Key: $key" "$url/v1/bot/me"; then
    say bots "registering the demo bot of $platform"
    answer=$("$programs/portalctl" bot register --platform "$platform" --name "demo_$platform" --json 9>&-) ||
      die "the demo bot of $platform could not be registered; the line above says why."
    key=$(grep -oE '"(api_)?key": *"[^"]+"' <<<"$answer" | sed -E 's/.*"([^"]+)"$/\1/')
  fi
  printf '%s %s\n' "$platform" "$key" >>"$keep"
done
mv "$keep" $state/bots
PORTAL_URL=$url PORTAL_BOT_KEYS=$PWD/$state/bots "$programs/portalctl" demo 9>&- &
demo=$!
remember $demo
trap 'exit 0' INT TERM HUP # from here on an interruption is the way to end

curl_text="${curl[*]}"
own_env=
[ ${#stores[@]} = 0 ] || own_env=". $state/env; "
cat <<END

Portal is ready on $LISTEN. In another terminal, sign in:

  $curl_text -X POST $url/v1/authentication/request \\
    -H "Content-Type: application/json" \\
    -d '{"platform": "discord", "platform_user_id": "123456789012345678"}'

The code that the bot would send you as a direct message is shown here; then:

  $curl_text -c cookies -X POST $url/v1/authentication/verify \\
    -H "Content-Type: application/json" \\
    -d '{"code": "ABCD1234"}'
  $curl_text -b cookies $url/v1/users/me

The first Owner:  ${own_env}$programs/portalctl user promote NAME --level owner
All calls:        $url/docs
Stop:             Ctrl-C

END

wait $portald || :
portald=
die "portald ended; its last lines above say why."
