#!/bin/sh
# Starts Redis in the current directory, from an append-only file that is whole.
#
# A write torn by a power loss can leave "MULTI" and some of a script's commands at the end of the file. Redis forgives
# that once; the next transaction is appended behind it, and at the second start the leftovers run as part of that one:
# documents come twice. (Seen with 6.2 and 7.0, at most places where a write can tear.) redis-check-aof cuts them off
# first; the page that they were a part of is fetched again and gets the same entry ids.
set -eu

for manifest in appendonlydir/*.manifest; do
  [ -e "$manifest" ] || continue # the first start
  yes | redis-check-aof --fix "$manifest"
done

exec redis-server "$(dirname "$0")/redis.conf" "$@"
