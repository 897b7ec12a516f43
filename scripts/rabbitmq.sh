#!/usr/bin/env bash
# Private RabbitMQ servers for tests.
#
#   rabbitmq.sh install      install Debian's rabbitmq-server without starting it (needs root)
#   rabbitmq.sh start DIR    start one empty server with all its state below DIR; prints its URL, and nothing else, on stdout
#   rabbitmq.sh stop DIR     stop the server of DIR and its epmd; the files in DIR stay
#   rabbitmq.sh kill DIR     the same by force, as if the machine had lost power
#
# Every server, its epmd and its distribution port listen on 127.0.0.1 only, on free ports, so several may run at once.
# RABBIT_LISTEN=address:port makes the server itself listen there instead, for tests in network namespaces.
# RABBIT_TLS=CERTS makes it serve TLS, and nothing else, to clients with a certificate of its authority; the directory CERTS has
# ca.pem, cert.pem and key.pem.
# start takes user and password from RABBIT_USER and RABBIT_PASSWORD; what is not set is "test" and a random password.
#
# Exit: 0 done, 1 failed, 2 wrong usage, 3 RabbitMQ is not here (start) or may not or cannot be installed (install).
set -euo pipefail

readonly start_seconds=60 stop_seconds=20

say() { printf 'rabbitmq.sh: %s\n' "$*" >&2; }
die() { say "${@:2}"; exit "$1"; }

# server_home prints the directory of the newest installed RabbitMQ.
server_home() {
	local dir newest=
	for dir in /usr/lib/rabbitmq/lib/rabbitmq_server-*/; do
		[[ -x ${dir}sbin/rabbitmq-server ]] && newest=${dir%/}
	done
	[[ -n $newest ]] && printf '%s\n' "$newest"
}

install_server() {
	if server_home >/dev/null; then
		return 0
	fi
	((EUID == 0)) || die 3 "RabbitMQ is not installed and installing it needs root."
	command -v apt-get >/dev/null || die 3 "RabbitMQ is not installed and this system has no apt-get to install it with."

	# Two installs at once would fight over the policy file.
	{ exec 9>/var/lock/statemesh-rabbitmq-install; } 2>/dev/null && flock 9 || die 3 "RabbitMQ is not installed and /var/lock is not writable."
	if server_home >/dev/null; then
		return 0
	fi

	# A policy-rc.d that answers 101 keeps the package from starting its service. One that is there already comes back after.
	policy=/usr/sbin/policy-rc.d
	kept=$policy.statemesh-kept
	if [[ -e $policy && ! -e $kept ]]; then
		mv "$policy" "$kept" || die 3 "RabbitMQ is not installed and $policy cannot be put aside."
	fi
	trap 'rm -f "$policy"; if [[ -e $kept ]]; then mv "$kept" "$policy"; fi' EXIT
	{ printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; } 2>/dev/null ||
		die 3 "RabbitMQ is not installed and $policy, which would keep it from starting, is not writable."

	local log
	log=$(mktemp)
	if ! apt_install >"$log" 2>&1; then
		# The lists may be missing or out of date: once more with fresh ones.
		if ! { apt-get update && apt_install; } >>"$log" 2>&1; then
			tail -n 20 "$log" >&2
			rm -f "$log"
			die 3 "apt-get could not install rabbitmq-server (its last lines are above)."
		fi
	fi
	rm -f "$log"
	server_home >/dev/null || die 3 "rabbitmq-server was installed but is not below /usr/lib/rabbitmq."
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 rabbitmq-server </dev/null
}

# free_port prints a TCP port nobody listens on, below the range the kernel takes for outgoing connections.
free_port() {
	local port tries
	for ((tries = 0; tries < 100; tries++)); do
		port=$((10000 + (RANDOM << 15 | RANDOM) % 22000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			printf '%s\n' "$port"
			return 0
		fi
	done
	die 1 "found no free port."
}

# speaks_amqp tells whether port $2 of address $1 answers the protocol header with a method frame on channel 0, or with a
# TLS alert.
speaks_amqp() {
	local first
	first=$({
		exec 3<>"/dev/tcp/$1/$2" || exit 1
		printf 'AMQP\x00\x00\x09\x01' >&3
		timeout 5 head -c 3 <&3 | od -An -tx1
	} 2>/dev/null) || return 1
	[[ $first == " 01 00 00" || $first == " 15 03 "* ]]
}

# processes prints the ids of the processes that run with the environment of the server of directory $1, its epmd among
# them; with $2 only those of that name. So a process that merely got an old number is never signalled.
processes() {
	local file pid
	for file in $(grep -lsxzF "STATEMESH_RABBITMQ_DIR=$1" /proc/[0-9]*/environ || true); do
		pid=${file//[^0-9]/}
		if [[ -z ${2-} || $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]]; then
			printf '%s\n' "$pid"
		fi
	done
}

# launch starts a server on fresh ports and waits till it answers. It fails when the server ends or the time is over.
launch() {
	local home=$1 dir=$2 user=$3 password=$4 address=127.0.0.1 scheme=amqp listener certs port dist epmd deadline
	if [[ -n ${RABBIT_LISTEN-} ]]; then
		address=${RABBIT_LISTEN%:*} port=${RABBIT_LISTEN##*:}
	else
		port=$(free_port)
	fi
	dist=$(free_port) epmd=$(free_port)

	rm -rf "$dir/mnesia"
	mkdir -p "$dir/mnesia" "$dir/log"
	printf '[].\n' >"$dir/plugins"
	listener="listeners.tcp.1 = $address:$port"
	if [[ -n ${RABBIT_TLS-} ]]; then
		scheme=amqps certs=$(cd "$RABBIT_TLS" && pwd -P)
		listener="listeners.tcp = none
			listeners.ssl.1 = $address:$port
			ssl_options.cacertfile = $certs/ca.pem
			ssl_options.certfile = $certs/cert.pem
			ssl_options.keyfile = $certs/key.pem
			ssl_options.verify = verify_peer
			ssl_options.fail_if_no_peer_cert = true"
	fi
	cat >"$dir/rabbitmq.conf" <<-CONF
		$listener
		default_user = $user
		default_pass = $password
		loopback_users = none
		vm_memory_high_watermark.absolute = 512MiB
		disk_free_limit.absolute = 50MB
	CONF
	if [[ ! -e $dir/.erlang.cookie ]]; then
		random_hex >"$dir/.erlang.cookie"
		chmod 400 "$dir/.erlang.cookie"
	fi

	# Nobody but the server may keep our output open, or a caller that reads it would wait for ever.
	env -u RABBIT_USER -u RABBIT_PASSWORD \
		HOME="$dir" STATEMESH_RABBITMQ_DIR="$dir" ERL_CRASH_DUMP="$dir/erl_crash.dump" \
		RABBITMQ_NODENAME="rabbit-$port@localhost" RABBITMQ_CONF_ENV_FILE=/dev/null \
		RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$dir/none" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" \
		RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_PID_FILE="$dir/pid" \
		RABBITMQ_DIST_PORT="$dist" ERL_EPMD_PORT="$epmd" ERL_EPMD_ADDRESS=127.0.0.1 \
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}" \
		setsid "$home/sbin/rabbitmq-server" </dev/null >"$dir/log/console" 2>&1 9>&- &
	local pid=$!

	deadline=$((SECONDS + start_seconds))
	until speaks_amqp "${address/0.0.0.0/127.0.0.1}" "$port"; do
		if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
			return 1
		fi
		sleep 0.1
	done
	printf '%s://%s:%s@%s:%s/\n' "$scheme" "$user" "$password" "$address" "$port"
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

start() {
	local home user password url try dir
	home=$(server_home) || die 3 "RabbitMQ is not installed; run: scripts/rabbitmq.sh install"
	user=${RABBIT_USER:-test} password=${RABBIT_PASSWORD:-$(random_hex)}
	# Other characters would need quoting, each in its own way, in the configuration file and in the URL.
	[[ $user =~ ^[A-Za-z0-9._~-]+$ && $password =~ ^[A-Za-z0-9._~-]+$ ]] ||
		die 2 "RABBIT_USER and RABBIT_PASSWORD may hold letters, digits and . _ ~ - only."

	umask 077
	mkdir -p "$1"
	dir=$(cd "$1" && pwd -P)
	[[ -z $(processes "$dir") ]] || die 1 "a server of $dir is running; stop it first."

	trap 'halt "$dir"; exit 1' INT TERM

	# A port can be taken between looking and listening, so a server that ends early gets other ports.
	for try in 1 2 3; do
		if url=$(launch "$home" "$dir" "$user" "$password"); then
			printf '%s\n' "$url"
			return 0
		fi
		halt "$dir"
	done
	tail -n 20 "$dir/log/console" >&2 || true
	die 1 "RabbitMQ did not start (its last lines are above, its logs are in $dir/log)."
}

# halt ends every process of the server of directory $1: the server is asked first, so that it can say goodbye to its
# clients, then all that is left (epmd) is asked, then ended by force.
halt() {
	signal "$1" TERM beam.smp
	signal "$1" TERM
	signal "$1" KILL
}

# signal sends signal $2 to the processes of directory $1 (named $3, if given) and waits till they are gone or the time is over.
signal() {
	local pids deadline=$((SECONDS + stop_seconds))
	pids=$(processes "$1" "${3-}")
	if [[ -z $pids ]]; then
		return 0
	fi
	# shellcheck disable=SC2086 # one word a process
	kill -s "$2" $pids 2>/dev/null || true
	while [[ -n $(processes "$1" "${3-}") ]] && ((SECONDS < deadline)); do
		sleep 0.1
	done
}

stop() {
	[[ -d $1 ]] || die 1 "$1 is no directory."
	local dir
	dir=$(cd "$1" && pwd -P)
	halt "$dir"
	[[ -z $(processes "$dir") ]] || die 1 "the server of $dir does not end."
}

case ${1-}:$# in
install:1) install_server ;;
start:2) start "$2" ;;
stop:2) stop "$2" ;;
kill:2) signal "$(cd "$2" && pwd -P)" KILL ;;
*) die 2 "usage: rabbitmq.sh install | start DIR | stop DIR | kill DIR" ;;
esac
