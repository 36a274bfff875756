#!/bin/bash
# Waits before a server is told to end, for one that would cut off its answers: drain.sh PORT FORGET LONGEST
# FORGET seconds until no new requests come, then until none is running, at most LONGEST seconds.
set -euo pipefail

port=$1 forget=$2 longest=$3
sleep "$forget"

# Requests that run or wait; nothing when the server does not say, 0 when it is gone.
unfinished() {
  { exec 3<> "/dev/tcp/127.0.0.1/$port"; } 2> /dev/null || { echo 0; return; }
  printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 || return 1
  local line sum= value
  while read -r -t 10 line <&3; do
    case $line in
      vllm:num_requests_running* | vllm:num_requests_waiting[\ {]*)
        value=${line##* }
        value=${value%$'\r'}
        value=${value%%.*}
        [[ $value =~ ^[0-9]+$ ]] && sum=$((${sum:-0} + value))
        ;;
    esac
  done
  exec 3>&-
  echo "$sum"
}

SECONDS=0
while [ "$SECONDS" -lt "$longest" ]; do
  count=$(unfinished || true)
  if [ "$count" = 0 ]; then exit 0; fi
  sleep 1
done
