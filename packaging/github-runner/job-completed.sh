#!/bin/bash
# ACTIONS_RUNNER_HOOK_JOB_COMPLETED of a self-hosted runner: ends the lease that job-started.sh opened, on every server. The
# job fails when it cannot. It reads what job-started.sh reads. See README.md.
set -euo pipefail
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

HELPER=/usr/local/libexec/namegate/runner-lease
arguments=("--identity=${NAMEGATE_IDENTITY-}" "--address=${NAMEGATE_ADDRESS-}")

if [[ -e $HELPER ]]; then exec sudo -n "$HELPER" end "${arguments[@]}"; fi
exec "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/runner-lease" end "${arguments[@]}"
