#!/bin/bash
# One candidate of a sweep over drafts and windows, step by step: sweep.sh prepare|serve|ready|keep|compare|publish|page
#
# The candidate is number JOB_COMPLETION_INDEX in the folder SWEEP. Set: STATE (where steps tell each other), COMPILED
# (where the server keeps what it compiles), RESULTS (this candidate's), KEPT (where all candidates' are kept), WORKLOADS
# (by their names; `dataset` is dataset.jsonl in SWEEP, of which PROMPTS are sent), PORT, STATUS_FILE (as publish.sh takes it).
#
# A candidate whose results are kept is skipped, so that a sweep can be applied again after it was interrupted. One whose
# server ends is noted with the reason, ends with 3, and the next begins.
set -euo pipefail

step=${1:-}
here=$(dirname "$0")
field() { cat "$SWEEP/$JOB_COMPLETION_INDEX.$1"; }
has() { [ -e "$SWEEP/$JOB_COMPLETION_INDEX.$1" ]; }
is_skipped() { [ -e "$STATE/skip" ]; }
has_failed() { [ -e "$STATE/failed" ]; }
is_bucket() { [[ $1 == s3://* ]]; }

# Notes that this candidate was not measured. The reason is made of characters that need no escape in JSON.
fail() {
  local reason
  reason=$(printf '%s' "$1" | tr '\n' ' ' | tr -cd '[:alnum:] .,:;()_/=%+*-' | head -c 600)
  printf '{"schema": "foretoken.sweep-failure/1", "candidate": "%s", "reason": "%s"}\n' "$(field name)" "$reason" \
    > "$RESULTS/failure.json"
  echo 3 > "$STATUS_FILE"
  echo "sweep: $(field name) was not measured: $reason" >&2
}

# The server's last words.
last() { tail -n 2 "$STATE/server.log" | tail -c 400; }

healthy() {
  { exec 3<> "/dev/tcp/127.0.0.1/$PORT"; } 2> /dev/null || return 1
  printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 || return 1
  local status=
  read -r -t 5 status <&3 || true
  exec 3>&-
  [[ $status == *" 200"* ]]
}

# Stays until the pod is done with it.
rest() { while :; do sleep 3600 & wait $! || true; done; }

case $step in
  prepare)
    mkdir -p "$STATE" "$RESULTS"
    rm -f "$STATE/skip" "$STATE/failed" "$STATUS_FILE"
    kept=$KEPT/$(field name)
    if is_bucket "$kept" || [ -d "$kept" ]; then bash "$here/sync.sh" "$kept" "$RESULTS"; fi
    rm -f "$RESULTS/failure.json"
    missing=
    for workload in $WORKLOADS; do [ -e "$RESULTS/$workload.json" ] || missing=yes; done
    if [ -z "$missing" ]; then
      touch "$STATE/skip"
      echo 0 > "$STATUS_FILE"
      echo "sweep: $(field name) has been measured"
      exit 0
    fi
    echo "sweep: $(field name)"
    bash "$here/sync.sh" --try "$kept"
    if has draft; then
      mapfile -t words < "$SWEEP/$JOB_COMPLETION_INDEX.draft"
      "${words[@]}"
    fi
    if has store; then
      store=$(field store)
      bash "$here/sync.sh" --try "$store"
      bash "$here/sync.sh" --if-complete "$store" "$COMPILED"
    fi
    ;;
  serve)
    server=
    trap '[ -z "$server" ] || { kill -TERM "$server" 2> /dev/null; wait "$server"; }; exit 0' TERM INT
    if is_skipped; then rest; fi
    mapfile -t words < "$SWEEP/$JOB_COMPLETION_INDEX.arguments"
    "${words[@]}" > >(tee "$STATE/server.log") 2>&1 &
    server=$!
    status=0
    wait "$server" || status=$?
    server=
    echo "$status" > "$STATE/failed"
    echo "sweep: the server ended with status $status" >&2
    rest
    ;;
  ready) is_skipped || has_failed || healthy ;;
  keep)
    if is_skipped || has_failed; then exit 0; fi
    bash "$here/sync.sh" --mark-complete "$COMPILED" "$(field store)"
    ;;
  compare)
    shift
    if is_skipped; then exit 0; fi
    if has_failed; then
      fail "the server ended with status $(cat "$STATE/failed"): $(last)"
      exit 0
    fi
    mapfile -t notes < "$SWEEP/$JOB_COMPLETION_INDEX.notes"
    status=0
    for workload in $WORKLOADS; do
      if [ -e "$RESULTS/$workload.json" ]; then continue; fi
      sent=(--workload "$workload")
      if [ "$workload" = dataset ]; then
        sent=(--dataset-name custom --dataset-path "$SWEEP/dataset.jsonl" --num-prompts "$PROMPTS")
      fi
      code=0
      "$@" "${sent[@]}" --label "$(field name)" --metadata "${notes[@]}" --save-result --result-dir "$RESULTS" \
        --result-filename "$workload.json" || code=$?
      if [ "$code" -ne 0 ]; then status=3; fi
      if [ ! -e "$RESULTS/$workload.json" ]; then
        fail "comparing on $workload ended with status $code: $(last)"
        exit 0
      fi
    done
    echo "$status" > "$STATUS_FILE"
    ;;
  publish)
    # What failed before and was measured now.
    if [ ! -e "$RESULTS/failure.json" ]; then
      if ! is_bucket "$KEPT"; then
        rm -f "$KEPT/$(field name)/failure.json"
      else
        aws s3 rm "$KEPT/$(field name)/failure.json" --only-show-errors
      fi
    fi
    exec bash "$here/publish.sh" "$RESULTS" "$KEPT/$(field name)"
    ;;
  page)
    shift
    shopt -s nullglob
    results=("$RESULTS"/*/*.json)
    if [ ${#results[@]} -eq 0 ]; then
      echo "sweep: there are no results in $RESULTS" >&2
      exit 1
    fi
    "$@" "${results[@]}"
    ;;
  *)
    echo "usage: sweep.sh prepare|serve|ready|keep|compare|publish|page" >&2
    exit 2
    ;;
esac
