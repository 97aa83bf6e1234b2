#!/usr/bin/env bash
# Builds the release preset with the benchmarks and compares Aprotic with Debian's Proton C++ and oslo.messaging, on this machine, over
# loopback: messages, or with the word rpc first the driver's calls.
#
#   bash bench/run.sh [rpc] [--repetitions N] [--scale X] [--only WORD]
#
# Needs libqpid-proton-cpp12-dev and python3, for rpc also python3-oslo.messaging with python3-pyngus and taskset. docs/benchmarks.md says what is measured and how to read it.
set -euo pipefail
cd "$(dirname "$0")/.."
compare=compare.py
if [ "${1:-}" = rpc ]; then
  compare=rpc.py
  shift
fi
cmake --preset release -DAPROTIC_BUILD_BENCH=ON >/dev/null
cmake --build --preset release --parallel "$(nproc)" --target aprotic bench_ours bench_proton bench_rpc bench_tcp
exec python3 "bench/$compare" build/release "$@"
