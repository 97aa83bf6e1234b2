#!/usr/bin/env bash
# Builds the release preset with the benchmarks and compares Aprotic with Debian's Proton C++, on this machine, over loopback.
#
#   bash bench/run.sh [--repetitions N] [--scale X] [--only WORD]
#
# Needs libqpid-proton-cpp12-dev and python3. docs/benchmarks.md says what is measured and how to read it.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release -DAPROTIC_BUILD_BENCH=ON >/dev/null
cmake --build --preset release --parallel "$(nproc)" --target aprotic bench_ours bench_proton
exec python3 bench/compare.py build/release "$@"
