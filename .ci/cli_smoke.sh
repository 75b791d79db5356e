#!/usr/bin/env bash
# The command-line contract on a real checkpoint: text to the byte, exit codes, JSON that parses.
#
#   .ci/cli_smoke.sh PSI SHARED_DATA [PYTHON]
set -euo pipefail

PSI=$1
MODEL=$2/models/stories260K
PYTHON=${3:-python3}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export PSI_HOME=$WORK/home
CHECKS=0

fail() {
  echo "cli smoke: $1" >&2
  [ ! -s "$WORK/err" ] || tail -n 5 "$WORK/err" >&2
  exit 1
}

# status WANTED COMMAND...: stdout goes to $WORK/out, stderr to $WORK/err.
status() {
  local wanted=$1 got=0
  shift
  "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null || got=$?
  [ "$got" -eq "$wanted" ] || fail "exit $got instead of $wanted: $*"
  CHECKS=$((CHECKS + 1))
}

# json EXPRESSION: the last stdout is one JSON document `d` of which the Python expression holds.
json() {
  "$PYTHON" -c "import json,sys; d = json.load(open(sys.argv[1])); assert $1, d" "$WORK/out" 2>> "$WORK/err" || fail "JSON does not satisfy: $1"
  CHECKS=$((CHECKS + 1))
}

greedy=(--prompt "" --raw --max-tokens 200 --temperature 0)

# Greedy text equals the reference, from every form of the checkpoint; stdout carries the text and nothing else.
for model in "$MODEL/hf" "$MODEL/stories260K-f32.gguf"; do
  status 0 "$PSI" generate --model "$model" "${greedy[@]}"
  "$PYTHON" - "$WORK/out" "$MODEL/golden.txt" << 'PY' || fail "greedy text of $model differs from golden.txt"
import sys
got, want = (open(p, "rb").read() for p in sys.argv[1:])
sys.exit(got.rstrip(b"\n") != want.rstrip(b"\n"))
PY
done

# Conversions load and speak.
for dtype in f32 bf16 q8_0 q4_k_m; do
  status 0 "$PSI" convert "$MODEL/hf" "$WORK/$dtype.gguf" --dtype "$dtype"
  status 0 "$PSI" generate --model "$WORK/$dtype.gguf" --prompt "Once" --raw --max-tokens 8 --temperature 0
  [ -s "$WORK/out" ] || fail "no text from $dtype"
done
status 0 "$PSI" convert "$WORK/f32.gguf" "$WORK/back"
status 0 "$PSI" generate --model "$WORK/back" "${greedy[@]}"
cmp -s <(tr -d '\n' < "$WORK/out") <(tr -d '\n' < "$MODEL/golden.txt") || fail "text changed by folder -> GGUF -> folder"

# Same seed, same text.
status 0 "$PSI" generate --model "$MODEL/hf" --prompt "Once" --raw --max-tokens 20 --temperature 1 --seed 7
cp "$WORK/out" "$WORK/first"
status 0 "$PSI" generate --model "$MODEL/hf" --prompt "Once" --raw --max-tokens 20 --temperature 1 --seed 7
cmp -s "$WORK/first" "$WORK/out" || fail "the same seed gave another text"

# JSON documents.
printf 'Once upon a time, there was a little girl named Lily.' > "$WORK/text"
status 0 "$PSI" score --model "$MODEL/hf" --input "$WORK/text" --json
json 'd["tokens"] > 5 and d["nll_sum"] > 0 and 0 < d["bits_per_byte"] < 8'
status 0 "$PSI" inspect "$MODEL/stories260K-f32.gguf" --json
json 'isinstance(d, dict) and d'
status 0 "$PSI" generate --model "$MODEL/hf" --prompt "Once" --raw --max-tokens 4 --temperature 0 --json
json 'isinstance(d, dict) and d'
status 0 "$PSI" generate --model "$MODEL/hf" --prompt "In" --raw --regex '(19|20)[0-9]{2}' --temperature 1
grep -Eqx '(19|20)[0-9]{2}' "$WORK/out" || fail "the answer does not match its regex"
printf '{"enum": ["yes", "no"]}' > "$WORK/schema.json"
status 0 "$PSI" generate --model "$MODEL/hf" --prompt "Is it?" --raw --json-schema "$WORK/schema.json"
grep -Eqx '"(yes|no)"' "$WORK/out" || fail "the answer does not follow its schema"
status 0 "$PSI" models --json
json 'd is not None'
status 0 "$PSI" doctor --json
json 'isinstance(d, dict) and d'
status 0 "$PSI" help
status 0 "$PSI" help environment

# Wrong usage and unusable input end with 2, name what is wrong, and put nothing on stdout.
refused() {
  status 2 "$@"
  [ ! -s "$WORK/out" ] || fail "output on stdout of a refused command: $*"
  [ -s "$WORK/err" ] || fail "refused without a reason: $*"
}
refused "$PSI" generate --no-such-option
printf '{"items": {"not": {}}}' > "$WORK/schema.json"
refused "$PSI" generate --model "$MODEL/hf" --prompt x --json-schema "$WORK/schema.json"
grep -q '#/items/not' "$WORK/err" || fail "the message does not name the keyword's place"
refused "$PSI" no-such-command
refused "$PSI" generate --model "$WORK/absent" --prompt x
grep -q absent "$WORK/err" || fail "the message does not name the missing path"
head -c 3000 "$MODEL/stories260K-f32.gguf" > "$WORK/cut.gguf"
refused "$PSI" inspect "$WORK/cut.gguf"
grep -q cut.gguf "$WORK/err" || fail "the message does not name the truncated file"
refused "$PSI" convert "$MODEL/hf" "$WORK/x.gguf" --dtype no_such_dtype
[ ! -e "$WORK/x.gguf" ] || fail "a refused conversion left a file"

echo "cli smoke: $CHECKS checks passed"
