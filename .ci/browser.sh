#!/usr/bin/env bash
# The assistant's page in Chromium: installs what is missing, fetches axe-core (for accessibility checks) from its
# public package, runs every scene. Pictures of the pages land in $CARGO_TARGET_DIR/screenshots.
#
#   .ci/browser.sh [SCENE...]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
TARGET=${CARGO_TARGET_DIR:-target}
AXE=4.14.1

if ! command -v chromium > /dev/null && ! command -v google-chrome > /dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
fi
if [ ! -f "$TARGET/axe/package/axe.min.js" ]; then
  command -v npm > /dev/null || apt-get install -y -qq --no-install-recommends npm
  mkdir -p "$TARGET/axe"
  (cd "$TARGET/axe" && npm pack --silent "axe-core@$AXE" > /dev/null && tar xzf "axe-core-$AXE.tgz" package/axe.min.js)
fi
cargo test --quiet -p psi-server --test browser -- --required "$@"
