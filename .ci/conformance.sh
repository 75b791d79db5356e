#!/usr/bin/env bash
# Other people's clients against psi serve: conformance.sh PSI SHARED PYTHON
#
# PYTHON has the packages of conformance/requirements.txt.
set -euo pipefail

PSI=$1 MODEL=$2/models/stories260K/hf PYTHON=$3
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../conformance" && pwd)

"$PYTHON" "$HERE/suites.py" openai --psi "$PSI" --model "$MODEL"
"$PYTHON" "$HERE/suites.py" anthropic --psi "$PSI" --model "$MODEL"
"$PYTHON" "$HERE/batch_check.py" --psi "$PSI" --model "$MODEL"
"$PYTHON" "$HERE/llama_cpp/run.py" --psi "$PSI" --model "$MODEL"
"$PYTHON" "$HERE/lm_eval_check.py" --psi "$PSI" --model "$MODEL"
"$PYTHON" "$HERE/schema_check.py" --psi "$PSI" --model "$MODEL"
"$PYTHON" "$HERE/node_check.py" --psi "$PSI" --model "$MODEL"
