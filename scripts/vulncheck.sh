#!/usr/bin/env bash
# Looks for known vulnerabilities in what this module uses: govulncheck over ./..., at a pinned version.
#
#   vulncheck.sh [ARGUMENT...]   the arguments are govulncheck's, before ./...; for example -show verbose
#
# GOVULNDB names another copy of the database (https://go.dev/doc/security/vuln/database), also as file:///DIRECTORY.
#
# Exit: 0 nothing found, 1 something was found or failed, 3 govulncheck or the database cannot be had here.
set -euo pipefail

readonly version=v1.8.0
readonly database=${GOVULNDB:-https://vuln.go.dev}

say() { printf 'vulncheck.sh: %s\n' "$*" >&2; }
die() { say "${@:2}"; exit "$1"; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install "golang.org/x/vuln/cmd/govulncheck@$version" || die 3 "govulncheck $version cannot be installed here."
case $database in
file://*)
	[[ -r ${database#file://}/index/db.json || -r ${database#file://}/index/db.json.gz ]] || die 3 "there is no database at $database."
	;;
*)
	if command -v curl >/dev/null && ! curl --silent --show-error --fail --max-time 20 --output /dev/null "$database/index/db.json.gz"; then
		die 3 "the database $database cannot be reached; nothing was checked."
	fi
	;;
esac
"$bin/govulncheck" -db "$database" "$@" ./... || exit 1
