#!/bin/bash
# Runs a benchmark against servers that may still be starting: benchmark.sh COMMAND... Set: ENDPOINTS (URLs to wait for,
# separated by spaces), TIMEOUT_SECONDS, STATUS_FILE (where the exit status goes instead, for a container that
# publishes the results first and exits with it).
set -euo pipefail

timeout=${TIMEOUT_SECONDS:-3600}
if [ $# -eq 0 ]; then
  echo "usage: benchmark.sh COMMAND..." >&2
  exit 2
fi

healthy() {
  local address=${1#http://} host port status=
  address=${address%%/*}
  host=${address%%:*}
  port=80
  [[ $address == *:* ]] && port=${address##*:}
  { exec 3<> "/dev/tcp/$host/$port"; } 2> /dev/null || return 1
  printf 'GET /health HTTP/1.0\r\nHost: %s\r\n\r\n' "$host" >&3 || return 1
  read -r -t 10 status <&3 || true
  exec 3>&-
  [[ $status == *" 200"* ]]
}

SECONDS=0
for endpoint in ${ENDPOINTS:-}; do
  until healthy "$endpoint"; do
    if [ "$SECONDS" -ge "$timeout" ]; then
      echo "benchmark: $endpoint does not answer within $timeout seconds" >&2
      exit 1
    fi
    sleep 1
  done
  echo "benchmark: $endpoint answers"
done

status=0
"$@" || status=$?
echo "benchmark: exit status $status"
if [ -n "${STATUS_FILE:-}" ]; then
  echo "$status" > "$STATUS_FILE"
  exit 0
fi
exit "$status"
