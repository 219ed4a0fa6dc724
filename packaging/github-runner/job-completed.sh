#!/bin/bash
# ACTIONS_RUNNER_HOOK_JOB_COMPLETED of a self-hosted runner: ends the lease that job-started.sh opened, on every server, and
# says what the job asked and was refused. The job fails when a name was refused, when that cannot be known (unless
# NAMEGATE_UNSURE=pass), and when the lease cannot be ended. It reads what job-started.sh reads. See README.md.
set -euo pipefail
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

HELPER=/usr/local/libexec/namegate/runner-lease
arguments=("--identity=${NAMEGATE_IDENTITY-}" "--address=${NAMEGATE_ADDRESS-}")
for fact in run_id run_attempt job; do
  variable=GITHUB_${fact^^}
  if [[ -n ${!variable-} ]]; then arguments+=("--job=$fact=${!variable}"); fi
done
command=("$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/runner-lease")
if [[ -e $HELPER ]]; then command=(sudo -n "$HELPER"); fi

ended=0
"${command[@]}" end "${arguments[@]}" || ended=$?
if ((ended == 2)); then exit 2; fi

reported=0
said=$("${command[@]}" report "${arguments[@]}") || reported=$?
summary=
while IFS= read -r line; do
  case $line in
    'M '*) summary+="${line#M }"$'\n' ;;
    'E '*) printf '%s\n' "${line#E }" ;;
  esac
done <<<"$said"
if [[ -n ${GITHUB_STEP_SUMMARY-} && -n $summary ]]; then
  printf '%s' "$summary" >>"$GITHUB_STEP_SUMMARY" || printf 'namegate: %s cannot be written\n' "$GITHUB_STEP_SUMMARY" >&2
fi

if ((ended != 0)); then exit 1; fi
case $reported in
  0) exit 0 ;;
  3) if [[ ${NAMEGATE_UNSURE-} == pass ]]; then exit 0; fi ;;
esac
exit 1
