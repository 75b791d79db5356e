#!/usr/bin/env bash
# A service under load while clients leave at random: no wrong answer, no lost token, no growth. The long form is the same
# command with `--seconds 1800` and a larger model.
#
#   .ci/soak.sh PSI SHARED_DATA [SECONDS]
set -euo pipefail

PSI=$1
MODEL=$2/models/stories260K/hf
SECONDS_EACH=${3:-10}

soak() { "$PSI" bench soak --model "$MODEL" --seconds "$SECONDS_EACH" --concurrency 32 "$@"; }

soak
soak --lookup --leave 0.6 --kv q8
soak --draft-model "$MODEL" --max-batch 4
