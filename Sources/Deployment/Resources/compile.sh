#!/bin/bash
# Compiles ahead of serving: compile.sh COMMAND... runs the server as it will be run, waits until it answers, and ends
# it. What it compiled lies then where the server keeps it. Set: PORT, TIMEOUT_SECONDS.
set -euo pipefail

port=${PORT:-8000}
timeout=${TIMEOUT_SECONDS:-7200}
if [ $# -eq 0 ]; then
  echo "usage: compile.sh COMMAND..." >&2
  exit 2
fi

healthy() {
  { exec 3<> "/dev/tcp/127.0.0.1/$port"; } 2> /dev/null || return 1
  printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 || return 1
  local status=
  read -r -t 10 status <&3 || true
  exec 3>&-
  [[ $status == *" 200"* ]]
}

"$@" &
server=$!
trap 'kill -TERM "$server" 2> /dev/null || true' EXIT
SECONDS=0
until healthy; do
  if ! kill -0 "$server" 2> /dev/null; then
    status=0
    wait "$server" || status=$?
    echo "compile: the server ended with status $status before it answered" >&2
    exit 1
  fi
  if [ "$SECONDS" -ge "$timeout" ]; then
    echo "compile: no answer within $timeout seconds" >&2
    exit 1
  fi
  sleep 1
done
echo "compile: the server answers after $SECONDS seconds"
kill -TERM "$server"
wait "$server" || true
trap - EXIT
echo "compile: done"
