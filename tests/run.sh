#!/usr/bin/env bash
# Builds the dev preset (Debug, AddressSanitizer, UndefinedBehaviorSanitizer) and runs the tests, on Debian 12, as root or
# with sudo for the packages that are missing.
#
#   bash tests/run.sh [--interop] [CTEST-OPTION …]
#
# --interop also installs and runs the foreign peers (oslo.messaging, Pyngus, Proton): processes of the tests' own, on loopback,
# never a system service. Without it those tests are left out. Other words go to ctest, for example: -R cli
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/packages.sh

skip='^(long|interop)$'
if [[ "${1:-}" == --interop ]]; then
    shift
    skip='^long$'
    need_packages_without_services "${packages_for_interop[@]}"
    export APROTIC_INTEROP_REQUIRED=1
fi
need_packages "${packages_to_build[@]}" "${packages_to_test[@]}"

# A cache filled by one clone serves the next one, wherever that lies.
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1

echo "== configuring build/dev"
cmake --preset dev
echo "== building"
cmake --build --preset dev --parallel "$(nproc)"
echo "== testing"
exec ctest --test-dir build/dev -j "$(nproc)" --output-on-failure --no-tests=error -LE "$skip" "$@"
