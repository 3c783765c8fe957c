#!/usr/bin/env bash
# Installs what some tests need and a bare Debian 12 with Go and git lacks: a C
# compiler for the race detector, mail servers, a browser, protoc, Prometheus, what makes
# network namespaces, series servers, axe-core and the linter. Root is needed when a package is
# missing; what is there already is left alone. Nothing is started.
#
#   eval "$(deploy/testservers/install.sh)"
#
# Progress goes to stderr, settings for the tests to stdout.
set -euo pipefail

readonly packages="gcc libc6-dev dovecot-imapd dovecot-pop3d dovecot-lmtpd postfix nginx-light openssl chromium fonts-dejavu-core protobuf-compiler libprotobuf-dev iproute2 nftables prometheus victoria-metrics"
readonly axe_version=4.14.1 lint_version=v2.15.0 influx_version=v1.8.10
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/varde-tests

say() { echo "install: $*" >&2; }

# apt_install PACKAGE...: those that are missing, without their recommendations
# and without starting or configuring services.
apt_install() {
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || { say "needs root to install ${missing[*]}"; exit 1; }
  say "packages ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # 101 tells invoke-rc.d not to start what is installed.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    made=yes
  fi
  local status=0
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > "$log" 2>&1 || status=$?
  [ -z "$made" ] || rm -f $policy
  [ $status = 0 ] || { tail -n 20 "$log" >&2; say "apt-get failed"; exit $status; }
}

# axe_core puts axe.min.js into the cache; tests read it from there.
axe_core() {
  local dir=$cache/axe-core-$axe_version
  axe=$dir/node_modules/axe-core/axe.min.js
  [ ! -s "$axe" ] || return 0
  command -v npm > /dev/null || apt_install npm
  say "axe-core $axe_version"
  mkdir -p "$dir"
  npm install --prefix "$dir" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "axe-core@$axe_version" >&2
}

# linter builds golangci-lint in a module of its own: its dependencies must not
# choose ours.
linter() {
  local bin dir
  bin=$(go env GOPATH)/bin/golangci-lint
  if [ -x "$bin" ] && "$bin" version 2>/dev/null | grep -q "version ${lint_version#v} "; then return 0; fi
  say "golangci-lint $lint_version"
  dir=$cache/golangci-lint-$lint_version
  mkdir -p "$dir" "$(dirname "$bin")"
  (
    cd "$dir"
    [ -e go.mod ] || go mod init varde-tests.invalid/lint
    export GOFLAGS=-mod=mod
    go get "github.com/golangci/golangci-lint/v2@$lint_version"
    go build -ldflags "-X main.version=${lint_version#v}" -o "$bin" github.com/golangci/golangci-lint/v2/cmd/golangci-lint
  ) > "$log" 2>&1 || { tail -n 5 "$log" >&2; say "golangci-lint cannot be built"; exit 1; }
}

# influxdb builds InfluxDB, which Debian has in a version that lacks the write API of 2.
influxdb() {
  influx_bin=$cache/influxdb-$influx_version
  [ ! -x "$influx_bin/influxd" ] || return 0
  say "influxd $influx_version"
  mkdir -p "$influx_bin"
  (cd / && GOFLAGS= GOBIN=$influx_bin go install -trimpath -ldflags "-s -w -X main.version=${influx_version#v}" "github.com/influxdata/influxdb/cmd/influxd@$influx_version") > "$log" 2>&1 ||
    { tail -n 5 "$log" >&2; say "influxd cannot be built"; exit 1; }
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the list is meant to be split
apt_install $packages
axe_core
linter
influxdb
# namespaces says whether this machine lets root make network namespaces.
namespaces() {
  local space=varde-install-$$ status=0
  { ip netns add "$space" && ip netns exec "$space" nft add table bridge t; } > "$log" 2>&1 || status=$?
  ip netns del "$space" > /dev/null 2>&1 || true
  [ $status = 0 ] || { say "NO NETWORK NAMESPACES HERE, THE TEST IN REAL NAMESPACES IS LEFT OUT: $(head -n 1 "$log")"; return 1; }
}

require=dovecot,postfix,nginx,chromium,axe,protoc,prometheus,influxd,victoria-metrics
if namespaces; then require=$require,namespaces; fi
cat <<EOF
export VARDE_AXE='$axe'
export VARDE_REQUIRE=$require
export PATH=\$PATH:$(go env GOPATH)/bin:$influx_bin
EOF
