#!/usr/bin/env bash
# The official MCP conformance suite against psi's client and server, on the revision of 2025-11-25.
#
#   .ci/mcp_conformance.sh PROGRAM FOLDER
#
# PROGRAM: the example `mcp_conformance` of psi-agent, built. FOLDER: where the suite's packages and results go. Needs npm; the suite
# needs Node 22, which comes as a package too.
set -euo pipefail

PROGRAM=$(realpath "$1")
FOLDER=$2
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SUITE=@modelcontextprotocol/conformance@0.2.0-alpha.12
REVISION=2025-11-25
PORT=${PSI_CI_MCP_PORT:-18231}

mkdir -p "$FOLDER"
cd "$FOLDER"
[ -f package.json ] || echo '{"private": true}' > package.json
if [ ! -x node_modules/node/bin/node ] || [ ! -d node_modules/@modelcontextprotocol/conformance ]; then
  npm install --silent --no-audit --no-fund "$SUITE" node@22
fi
NODE=$PWD/node_modules/node/bin/node
[ -x "$NODE" ] || NODE=$(find node_modules -path '*node-linux-*/bin/node' -o -path '*node-bin-*/bin/node' | head -1)
suite() { "$NODE" node_modules/@modelcontextprotocol/conformance/dist/index.js "$@"; }

"$PROGRAM" server "$PORT" &
SERVER=$!
trap 'kill $SERVER' EXIT
for _ in $(seq 50); do
  (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null && break
  sleep 0.1
done

STATUS=0
echo "--- server"
suite server --url "http://127.0.0.1:$PORT/mcp" --requirements "$REVISION" --expected-failures "$HERE/mcp_expected_failures.yml" --output-dir results/server || STATUS=1
echo "--- client"
suite client --command "$PROGRAM client" --requirements "$REVISION" --expected-failures "$HERE/mcp_expected_failures.yml" --output-dir results/client || STATUS=1
exit $STATUS
