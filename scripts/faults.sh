#!/usr/bin/env bash
# A fault run: three hosts in network namespaces, each with a broker and ten charts, and at random: a broker or a node
# killed and started again, a link cut or bad, a process stopped, a broker without memory, a clock that is wrong. In the
# end one line a promise.
#
#   scripts/faults.sh [-seed N] [-for 10m] [-broker embedded|rabbitmq|cluster] [-keep]
#
# Without arguments: seed 1, 60 s, embedded brokers. The same seed gives the same faults. It needs Linux, root, and the
# commands ip and setpriv; for rabbitmq and cluster a RabbitMQ (scripts/rabbitmq.sh install).
#
# Exit: 0 all promises held, 1 one was broken or the run failed, 2 wrong usage, 3 no run can be made here.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'faults.sh: %s\n' "$*" >&2; }

if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
	say "hosts are network namespaces: that takes Linux and root."
	exit 3
fi
if ! command -v ip >/dev/null || ! command -v setpriv >/dev/null || ! [ -c /dev/net/tun ]; then
	say "it needs the commands ip (iproute2) and setpriv (util-linux), and /dev/net/tun."
	exit 3
fi
try=sm-$$-0-faults
if ! ip netns add "$try" 2>/dev/null; then
	say "no network namespace can be made here."
	exit 3
fi
ip netns del "$try"
command -v go >/dev/null || {
	say "Go is needed: https://go.dev/dl/"
	exit 3
}

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# There are no namespaces of the time of day, so a clock is made wrong where Go reads it: in a package time with three
# more lines. Where these do not fit, clocks are left out.
time=$(go env GOROOT)/src/time
sed 's/^\tsec, nsec, mono := runtimeNow()$/&\n\tsec += skewed.Load()/' "$time/time.go" >"$build/time.go"
cat >"$build/skew.go" <<-'GO'
	package time

	import "sync/atomic"

	var skewed atomic.Int64 // seconds

	// SetSkew makes the wall clock of this process wrong.
	func SetSkew(d Duration) { skewed.Store(int64(d / Second)) }
GO
printf '{"Replace":{"%s":"%s","%s":"%s"}}\n' "$time/time.go" "$build/time.go" "$time/skew.go" "$build/skew.go" >"$build/overlay.json"
if ! grep -q 'skewed.Load' "$build/time.go" ||
	! go build -overlay "$build/overlay.json" -tags faults_skew -o "$build/faults" ./internal/faults 2>"$build/log"; then
	go build -o "$build/faults" ./internal/faults
fi

# The program removes its hosts and all that runs on them, also when it is told to end.
"$build/faults" "$@" &
pid=$!
trap 'kill -TERM $pid 2>/dev/null || true; wait $pid || true; rm -rf "$build"' EXIT
status=0
wait $pid || status=$?
exit $status
