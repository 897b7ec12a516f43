#!/usr/bin/env bash
# Fuzzes every decoder, one after the other. Of the inputs that were found it keeps those that reach code which no kept
# one reaches, in the testdata/fuzz folders, where every go test runs them.
#
#   scripts/fuzz.sh [-for 10m] [-parallel N] [REGEXP]
#
# -for 0 fuzzes nothing and only keeps. REGEXP chooses targets, written as ./network/seal:FuzzOpen. Without arguments:
# all, a minute each.
#
# Exit: 0 nothing was found, 1 an input fails (it is in testdata/fuzz already), 2 wrong usage.
set -euo pipefail
cd "$(dirname "$0")/.."

time=1m
parallel=$(nproc 2>/dev/null || echo 2)
pattern=.
while [ $# -gt 0 ]; do
	case "$1" in
	-for | -parallel)
		[ $# -ge 2 ] || {
			echo "fuzz.sh: $1 needs a value" >&2
			exit 2
		}
		case "$1" in -for) time=$2 ;; -parallel) parallel=$2 ;; esac
		shift 2
		;;
	-*)
		echo "fuzz.sh: unknown flag $1; there are -for and -parallel" >&2
		exit 2
		;;
	*)
		pattern=$1
		shift
		;;
	esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
module=$(go list -m)
cache=$(go env GOCACHE)/fuzz

targets=$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -H '^func Fuzz' |
	sed -E 's|^(.*)/[^/]*_test\.go:func (Fuzz[A-Za-z0-9_]*).*|./\1:\2|' | sort | grep -E -- "$pattern") || {
	echo "fuzz.sh: no target is like $pattern" >&2
	exit 2
}

# keep PACKAGE TARGET copies what the cache has and go test would miss.
keep() {
	local kept=$1/testdata/fuzz/$2 found="$cache/$module/${1#./}/$2" run="$work/run" input name new=0
	[ -d "$found" ] || return 0
	go test -c -cover -o "$work/test" "$1"
	rm -rf "$run" && mkdir -p "$run/testdata/fuzz/$2"
	[ ! -d "$kept" ] || cp "$kept"/* "$run/testdata/fuzz/$2"
	covered() { # by the inputs in run whose names are like $2
		(cd "$run" && "$work/test" -test.run "^$1\$$2" -test.coverprofile "$work/profile" >/dev/null) || return 1
		awk '!/^mode:/ && $NF > 0 { print $1 }' "$work/profile" | sort -u
	}
	covered "$2" "" >"$work/seen"
	while read -r input; do
		name=${input##*/}
		[ ! -e "$kept/$name" ] || continue
		cp "$input" "$run/testdata/fuzz/$2/$name"
		covered "$2" "/^$name\$" >"$work/this" || continue
		if [ -n "$(comm -13 "$work/seen" "$work/this")" ]; then
			sort -u -o "$work/seen" "$work/seen" "$work/this"
			mkdir -p "$kept" && cp "$input" "$kept/$name"
			new=$((new + 1))
		fi
		rm "$run/testdata/fuzz/$2/$name"
	done < <(find "$found" -type f -size -64k -printf '%s %p\n' | sort -n | cut -d' ' -f2-)
	printf 'kept %d more inputs\n' $new
}

status=0
for target in $targets; do
	package=${target%%:*} name=${target##*:}
	printf '== %s %s\n' "$package" "$name"
	if [ "$time" != 0 ]; then
		if go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel "$parallel" "$package" >"$work/log" 2>&1; then
			grep '^fuzz: elapsed' "$work/log" | tail -n 1
		elif grep -q 'Failing input written' "$work/log"; then
			cat "$work/log"
			status=1
			continue
		else # the end of the time, met while it minimised an input, is no finding
			grep -E '^fuzz: elapsed|context deadline exceeded' "$work/log" | tail -n 2 || cat "$work/log"
			grep -q 'context deadline exceeded' "$work/log" || status=1
		fi
	fi
	keep "$package" "$name"
done
exit $status
