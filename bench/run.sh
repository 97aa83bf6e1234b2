#!/usr/bin/env bash
# Builds the release preset with the benchmarks and lets Aprotic compete with whoever is there, on this machine, over loopback:
# messages and calls of the event layer, or with the word rpc first the driver's calls beside oslo.messaging.
#
#   bash bench/run.sh [--compare proton|qpidd|rhea] [--all] [--only WORD] [--json FILE] [--charts DIR] …    (--help shows all)
#   bash bench/run.sh rpc [--repetitions N] [--scale X] [--only WORD]
#
# Needs python3; libqpid-proton-cpp12-dev and libqpid-proton11-dev to compare with Proton, openssl for the rows over TLS, perf or strace
# to count system calls; for rpc python3-oslo.messaging with python3-pyngus and taskset. docs/benchmarks.md says what is measured and how
# to read it.
set -euo pipefail
cd "$(dirname "$0")/.."
compare=compare.py
if [ "${1:-}" = rpc ]; then
  compare=rpc.py
  shift
fi
case " $* " in
  *" --help "* | *" -h "* | *" --from "*) ;;
  *)
    cmake --preset release -DAPROTIC_BUILD_BENCH=ON ${PROTON_MAIN_ROOT:+-DPROTON_MAIN_ROOT="$PROTON_MAIN_ROOT"} >/dev/null
    available=$(cmake --build --preset release --target help)
    targets=(aprotic bench_ours bench_limit bench_rpc)
    for target in bench_proton bench_proton_c bench_proton_main_cpp bench_proton_main_c; do
      if grep -q "^$target: " <<<"$available"; then targets+=("$target"); fi
    done
    cmake --build --preset release --parallel "$(nproc)" --target "${targets[@]}" >&2
    ;;
esac
exec python3 "bench/$compare" build/release "$@"
