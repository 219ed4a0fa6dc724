#!/bin/bash
# ACTIONS_RUNNER_HOOK_JOB_STARTED of a self-hosted runner: opens a lease, on every server listed or on none. The job fails
# when it cannot. See README.md.
#
#   NAMEGATE_ADMIN     servers, separated by spaces or commas: unix:/run/namegate/admin.sock http://127.0.0.1:9154
#   NAMEGATE_IDENTITY  the identity that the job is
#   NAMEGATE_ADDRESS   the address or prefix that it asks from; several separated by commas
set -euo pipefail
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

HELPER=/usr/local/libexec/namegate/runner-lease
arguments=("--identity=${NAMEGATE_IDENTITY-}" "--address=${NAMEGATE_ADDRESS-}")
for fact in run_id run_attempt job repository workflow; do
  variable=GITHUB_${fact^^}
  if [[ -n ${!variable-} ]]; then arguments+=("--job=$fact=${!variable}"); fi
done

# The installed helper has the credential, which this user cannot read; without it the rights are this user's own.
if [[ -e $HELPER ]]; then exec sudo -n "$HELPER" open "${arguments[@]}"; fi
exec "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/runner-lease" open "${arguments[@]}"
