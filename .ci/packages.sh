# Sourced by docs/quickstart.sh and tests/run.sh. need_packages NAME…: installs those Debian packages that are missing, and
# only those, with apt-get as root or through sudo. Nothing is downloaded from anywhere else.

packages_to_build=(g++ cmake ninja-build libasio-dev libfmt-dev nlohmann-json3-dev libcli11-dev libssl-dev libwslay-dev
    libsasl2-dev libsasl2-modules libinih-dev)
packages_to_test=(ccache openssl catch2 amqp-specs python3 sasl2-bin valgrind)
packages_for_interop=(python3-oslo.messaging python3-pyngus python3-qpid-proton
    libqpid-proton-cpp12-dev libqpid-proton11-dev libqpid-proton11-dev-examples
    krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit
    rabbitmq-server)

need_packages() {
    local name missing=() as_root=() log
    for name in "$@"; do
        [[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" == installed ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0

    if ! command -v apt-get >/dev/null; then
        echo "these are missing, and there is no apt-get to install them with: ${missing[*]}" >&2
        return 1
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "these packages are missing; run this as root, or install them yourself: ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "== installing ${missing[*]}"
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update -q -o Acquire::Retries=3 &&
           "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
               -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "${missing[@]}"; } 2>&1 </dev/null |
           tee "$log" | sed -u -n 's/^Setting up \([^ ]*\).*/   \1/p'; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "apt-get could not install ${missing[*]}" >&2
        return 1
    fi
    rm -f "$log"
}

# The same for packages that would start a service when they are installed: here they do not.
need_packages_without_services() (
    policy=/usr/sbin/policy-rc.d
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | awk '$1 == "installed" { n++ } END { exit n != '$#' }' && exit 0
    if [[ ! -e "$policy" ]]; then
        trap '"${as_root[@]}" rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
    fi
    need_packages "$@"
)
