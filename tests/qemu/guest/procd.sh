# Stands in for OpenWrt's /lib/functions/procd.sh and for procd itself: what an init script says of its service is kept in
# a folder, and the service is watched by a shell. A changed command starts it anew, a changed file sends it the reload
# signal, and what dies comes back as `respawn THRESHOLD TIMEOUT RETRY` has it: after TIMEOUT seconds, unless it died more
# than RETRY times in a row before it was THRESHOLD seconds old (0: however often).
# shellcheck shell=sh

PROCD=/run/procd

procd_open_service() {
	_service=$PROCD/$1
	_new=$PROCD/.$1
	rm -rf "$_new"
	mkdir -p "$_new"
}
procd_open_instance() { :; }
procd_set_param() {
	_param=$1
	shift
	printf '%s\n' "$@" >"$_new/$_param"
}
procd_close_instance() { :; }
procd_add_reload_trigger() { :; }
procd_add_restart_mount_trigger() { :; }
procd_running() { [ -e "$PROCD/$1/pid" ] && kill -0 "$(cat "$PROCD/$1/pid")" 2>/dev/null; }
procd_send_signal() { kill "-$3" "$(cat "$PROCD/$1/pid")"; }

procd_close_service() {
	service_triggers
	_name=$(basename "$_service")
	if [ ! -e "$_new/command" ]; then
		procd_kill "$_name"
		return
	fi
	# shellcheck disable=SC2046 # one word a file
	sha256sum $(cat "$_new/file") >"$_new/sums"
	if procd_running "$_name" && cmp -s "$_new/command" "$_service/command"; then
		cmp -s "$_new/sums" "$_service/sums" || procd_send_signal "$_name" '*' "$(cat "$_new/reload_signal")"
		cp "$_new"/* "$_service/"
		return
	fi
	procd_kill "$_name"
	rm -rf "$_service"
	mv "$_new" "$_service"
	procd_watch "$_service" </dev/null >>/run/procd.log 2>&1 &
	until procd_running "$_name"; do usleep 50000; done
}

# Told to go, and not waited for.
procd_kill() {
	[ -e "$PROCD/$1" ] || return 0
	: >"$PROCD/$1/halt"
	procd_running "$1" && kill "$(cat "$PROCD/$1/pid")"
	return 0
}

procd_watch() {
	_deaths=0
	_threshold=$(sed -n 1p "$1/respawn")
	_timeout=$(sed -n 2p "$1/respawn")
	_retry=$(sed -n 3p "$1/respawn")
	while [ ! -e "$1/halt" ]; do
		_began=$(cut -d. -f1 /proc/uptime)
		# shellcheck disable=SC2046,SC2091 # one word a line, and it is to be run
		$(cat "$1/command") &
		echo $! >"$1/pid"
		wait $!
		echo "$1 ended with code $?"
		if [ $(($(cut -d. -f1 /proc/uptime) - _began)) -lt "$_threshold" ]; then
			_deaths=$((_deaths + 1))
		else
			_deaths=0
		fi
		if [ "$_retry" -gt 0 ] && [ "$_deaths" -gt "$_retry" ]; then
			echo "$1 is in a crash loop"
			return
		fi
		[ -e "$1/halt" ] || sleep "$_timeout"
	done
}
