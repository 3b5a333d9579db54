#!/bin/sh
# Makes the secrets of compose.yaml in secrets/, once. Users of the containers must read the files (0444); nobody else
# on the machine gets into their folder (0700).
set -eu
cd "${1:-.}"
mkdir -m 700 secrets || exit 1
cd secrets
umask 077

secret() { od -An -v -tx1 -N 24 /dev/urandom | tr -d ' \n'; }
database=$(secret)
redis=$(secret)
printf '%s' "$database" >database_password
printf 'postgresql://portal:%s@postgres/portal' "$database" >database_url
printf 'redis://portal:%s@redis:6379/0' "$redis" >redis_url
printf 'user default off\nuser portal on >%s ~portal:* &portal:* +@all -@dangerous +info +config|get\n' "$redis" >redis_users
secret >secret_key
chmod 444 ./*
