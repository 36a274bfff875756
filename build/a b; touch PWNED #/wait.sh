#!/bin/bash
# Waits until Jobs are complete: wait.sh NAMESPACE SECONDS JOB|SELECTOR...
# A SELECTOR has a '=' and stands for all Jobs with that label. Ends with 1, and says why, as soon as one has failed, or
# when an image has not been pulled for a minute; with 2 after SECONDS. `kubectl wait` knows one condition only.
set -euo pipefail

interval=${WAIT_INTERVAL:-10}
pull_limit=${WAIT_PULL_SECONDS:-60}
if [ $# -lt 3 ]; then
  echo "usage: wait.sh NAMESPACE SECONDS JOB|SELECTOR..." >&2
  exit 2
fi
namespace=$1 limit=$2
shift 2

jobs=()
for name in "$@"; do
  if [[ $name == *=* ]]; then
    mapfile -t found < <(kubectl -n "$namespace" get jobs -l "$name" -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}')
    jobs+=("${found[@]}")
  else
    jobs+=("${name#job/}")
  fi
done
if [ ${#jobs[@]} -eq 0 ]; then
  echo "wait: there is no Job that fits $*" >&2
  exit 1
fi

explain() {
  echo "wait: the last lines of job $1:" >&2
  kubectl -n "$namespace" logs "job/$1" --all-containers --prefix --tail=40 >&2 || true
}

# Containers of a Job that wait for their image or cannot be made, with the reason.
stuck() {
  local format='{.name}{" "}{.image}{" "}{.state.waiting.reason}{" "}{.state.waiting.message}{"\n"}'
  kubectl -n "$namespace" get pods -l "job-name=$1" -o \
    "jsonpath={range .items[*].status.initContainerStatuses[*]}$format{end}{range .items[*].status.containerStatuses[*]}$format{end}" |
    grep -E ' (ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError) ' || true
}

SECONDS=0
declare -A since
for job in "${jobs[@]}"; do
  echo "wait: job $job"
  while :; do
    conditions=$(kubectl -n "$namespace" get job "$job" -o \
      'jsonpath={range .status.conditions[?(@.status=="True")]}{.type}{" "}{end}')
    case " $conditions" in
      *" Failed "*)
        echo "wait: job $job has failed" >&2
        explain "$job"
        exit 1
        ;;
      *" Complete "*)
        echo "wait: job $job is complete after $SECONDS seconds"
        break
        ;;
    esac
    trouble=$(stuck "$job")
    if [ -z "$trouble" ]; then
      unset "since[$job]"
    elif [ $((SECONDS - ${since[$job]:=$SECONDS})) -ge "$pull_limit" ]; then
      echo "wait: job $job cannot start: $trouble" >&2
      exit 1
    fi
    if [ "$SECONDS" -ge "$limit" ]; then
      echo "wait: job $job is not complete after $limit seconds" >&2
      explain "$job"
      exit 2
    fi
    sleep "$interval"
  done
done
