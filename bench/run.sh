#!/usr/bin/env bash
# Builds and runs the comparison with others; all arguments go to the program:
#
#   bench/run.sh              everything, some ten minutes
#   bench/run.sh -quick       everything in less than a minute
#   bench/run.sh -json        one JSON object a row
#   bench/run.sh -markdown    the table in Markdown
#   bench/run.sh -only REGEXP some works; -list says which there are
#
# The RabbitMQ is that of STATEMESH_RABBITMQ_URL. Otherwise one is started on
# loopback, if it is installed (../scripts/rabbitmq.sh install); otherwise the rows
# that need it say so. The progress goes to standard error.
set -euo pipefail
cd "$(dirname "$0")"

command -v go >/dev/null || {
	echo "run.sh: Go is needed: https://go.dev/dl/" >&2
	exit 1
}

state=$(mktemp -d)
trap '../scripts/rabbitmq.sh stop "$state/rabbitmq" >/dev/null 2>&1 || true; rm -rf "$state"' EXIT

go build -o "$state/bench" .

if [ -z "${STATEMESH_RABBITMQ_URL-}" ]; then
	if url=$(../scripts/rabbitmq.sh start "$state/rabbitmq" 2>"$state/rabbitmq.log"); then
		export STATEMESH_RABBITMQ_URL=$url
	else
		tail -n 1 "$state/rabbitmq.log" >&2
	fi
fi

"$state/bench" "$@"
