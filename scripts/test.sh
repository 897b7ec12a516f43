#!/usr/bin/env bash
# Runs all checks and tests, and does all of the set-up for that itself.
#
#   scripts/test.sh              what cannot be had here is left out, and named
#   scripts/test.sh --required   what cannot be had here is a failure
#
# A RabbitMQ of one's own is used if STATEMESH_RABBITMQ_URL names it. Otherwise
# one is started for the tests alone, on loopback; on Debian, as root, it is
# installed first. So is iproute2, for tests of several hosts, which are network
# namespaces: they need root.
set -euo pipefail
cd "$(dirname "$0")/.."

required=0
case "${1-}" in
"") ;;
--required) required=1 ;;
*)
	echo "test.sh: unknown argument $1; the only one is --required" >&2
	exit 2
	;;
esac

missing() { # what is left out, and why
	if [ $required = 1 ]; then
		echo "test.sh: $1: required, and missing" >&2
		exit 1
	fi
	echo "test.sh: LEFT OUT: $1" >&2
}

step() { printf '== %s\n' "$1"; }

command -v go >/dev/null || {
	echo "test.sh: Go is needed: https://go.dev/dl/" >&2
	exit 1
}

step gofmt
unformatted=$(gofmt -l $(git ls-files '*.go' 2>/dev/null || find . -name '*.go'))
if [ -n "$unformatted" ]; then
	echo "test.sh: gofmt would change: $unformatted" >&2
	exit 1
fi

step "go vet"
go vet ./...

step staticcheck
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

state=$(mktemp -d)
trap 'scripts/rabbitmq.sh stop "$state/rabbitmq" >/dev/null 2>&1 || true; rm -rf "$state"' EXIT

step RabbitMQ
if [ -z "${STATEMESH_RABBITMQ_URL-}" ]; then
	if scripts/rabbitmq.sh install >"$state/install.log" 2>&1 &&
		url=$(scripts/rabbitmq.sh start "$state/rabbitmq" 2>"$state/start.log"); then
		export STATEMESH_RABBITMQ_URL=$url
	else
		tail -n 3 "$state"/*.log >&2
		missing "the tests against RabbitMQ (no RabbitMQ could be installed and started)"
	fi
fi

step "network namespaces"
if ! command -v ip >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 iproute2 </dev/null; }
	install >"$state/iproute2.log" 2>&1 || { apt-get update && install; } >>"$state/iproute2.log" 2>&1 || tail -n 3 "$state/iproute2.log" >&2
fi
if ! { command -v ip && command -v setpriv && ip netns add "sm-try-$$" && ip netns del "sm-try-$$"; } >/dev/null 2>&1; then
	missing "the tests of several hosts (no network namespace can be made here: that takes Linux, root, ip and setpriv)"
fi

if [ $required = 1 ]; then
	export STATEMESH_REQUIRE_RABBITMQ=1 STATEMESH_REQUIRE_NAMESPACES=1
fi

# Before the tests, whose summary is to be the last thing that is printed.
step "fault run"
if scripts/faults.sh -seed 8 -for 60s >"$state/faults.log" 2>&1; then
	grep -E '^(held|BROKEN) ' "$state/faults.log"
elif [ $? = 3 ]; then
	missing "the fault run ($(tail -n 1 "$state/faults.log"))"
else
	tail -n 60 "$state/faults.log" >&2
	echo "test.sh: the fault run failed" >&2
	exit 1
fi

step "go test -race"
race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC)" >/dev/null; then
	missing "the race detector (it needs a C compiler)"
	race=
fi
go test $race -count=1 -timeout 12m ./...
