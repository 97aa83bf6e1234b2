#!/usr/bin/env bash
# From a bare Debian 12 to a first RPC: installs what is missing (as root or through sudo), builds the release preset's tool, and
# shows a broker, servers, a call, a cast and a fanout talking on this machine. A few minutes the first time, seconds afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/packages.sh

say() { if [[ -t 1 ]]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
show() { printf '  $ %s\n' "$*"; }
indent() { sed -u 's/^/    /'; }

say "1. Build"
need_packages "${packages_to_build[@]}"
build_log=build/quickstart.log
mkdir -p build
if [[ ! -f build/release/build.ninja ]]; then
    cmake --preset release -DAPROTIC_BUILD_TESTS=OFF >"$build_log" || { tail -n 30 "$build_log"; exit 1; }
fi
show cmake --build build/release --target aprotic
NINJA_STATUS='[%f of %t] ' cmake --build build/release --target aprotic --parallel "$(nproc)" >"$build_log" 2>&1 &
build=$!
progress() { grep -aoE '^\[[0-9]+ of [0-9]+\]' "$build_log" | tail -n 1 || true; }
shown=
while kill -0 "$build" 2>/dev/null; do
    now=$(progress)
    if [[ "$now" != "$shown" ]] && { [[ -t 1 ]] || [[ "$now" == *[05]" of "* ]]; }; then
        shown=$now
        if [[ -t 1 ]]; then printf '\r    %s ' "$now"; else echo "    $now"; fi
    fi
    sleep 0.2
done
wait "$build" || { echo; tail -n 40 "$build_log"; exit 1; }
[[ ! -t 1 ]] || printf '\r'
echo "    build/release/aprotic is ready"

work=$(mktemp -d)
children=()
clean_up() {
    ((${#children[@]} == 0)) || kill "${children[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

aprotic=build/release/aprotic
# Runs the tool in the background, its output shown line by line and kept in $work/NAME; returns once it says it is ready.
start() {
    local name=$1
    shift
    show "aprotic $* &"
    "$aprotic" "$@" >"$work/$name" 2>&1 &
    children+=($!)
    local pid=$!
    until grep -qE '^(listening|serving)' "$work/$name"; do
        kill -0 "$pid" 2>/dev/null || { cat "$work/$name"; exit 1; }
        sleep 0.02
    done
    indent <"$work/$name"
}
# What a server has printed since the last look.
declare -A seen
heard() {
    local name=$1 tries
    for tries in {1..100}; do
        (($(wc -l <"$work/$name") > ${seen[$name]:-1})) && break
        sleep 0.02
    done
    tail -n +$((${seen[$name]:-1} + 1)) "$work/$name" | indent
    seen[$name]=$(wc -l <"$work/$name")
}

say "2. A broker of our own, in memory, on a free port"
start broker broker --listen 127.0.0.1:0
url=amqp://$(sed -n 's/^listening on //p' "$work/broker")

say "3. Two servers of the topic 'math'; a shell command answers each request"
cat >"$work/add" <<'SCRIPT'
#!/bin/sh
# stdin: {"method":"add","args":{"a":2,"b":3},…}
case $APROTIC_METHOD in
add) sed 's/.*"a":\([0-9]*\),"b":\([0-9]*\).*/\1 \2/' | { read -r a b; echo $((a + b)); } ;;
log | refresh) ;;
*) echo "no method '$APROTIC_METHOD' here" >&2; exit 1 ;;
esac
SCRIPT
chmod +x "$work/add"
start one serve "$url" --topic math --server one --exec "$work/add"
start two serve "$url" --topic math --server two --exec "$work/add"

say "4. A call: any server of the topic may answer, here it is asked of 'one'"
show "aprotic call $url --topic math --server one add '{\"a\": 2, \"b\": 3}'"
"$aprotic" call "$url" --topic math --server one add '{"a": 2, "b": 3}' | indent
echo "  and server one had printed:"
heard one

say "5. A cast: no answer is waited for"
show "aprotic cast $url --topic math --server two log '{\"text\": \"five\"}'"
"$aprotic" cast "$url" --topic math --server two log '{"text": "five"}' | indent
echo "  and server two prints:"
heard two

say "6. A fanout: every server of the topic gets it"
show "aprotic cast $url --topic math --fanout refresh"
"$aprotic" cast "$url" --topic math --fanout refresh | indent
echo "  and both print:"
heard one
heard two

say "7. What goes wrong says what and where"
show "aprotic call $url --topic maths add --timeout 1"
"$aprotic" call "$url" --topic maths add --timeout 1 2>&1 | indent || true
show "aprotic call $url --topic math divide"
"$aprotic" call "$url" --topic math divide 2>&1 | indent || true

say "That was it. Next:"
cat <<'NEXT'
  build/release/aprotic --help      all commands; docs/cli.md has them in full
  README.md                         the same in C++: 25 lines, and without any process but your own
  docs/README.md                    architecture, RPC, embedded broker
  bash tests/run.sh                 build and run the tests
NEXT
