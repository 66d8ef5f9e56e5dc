# Stands in for OpenWrt's /lib/functions/procd.sh: says what a service is in JSON, in the buildroot's words, and hands it
# to ubus, where the other end (procd.py of these tests) starts and ends processes.

# As there: whoever uses it has the service to itself, for as long as the script runs.
# shellcheck disable=SC3023 # busybox ash knows them
exec 1000>"/var/lock/procd_$name.lock"
flock 1000

words() {
	for _word in "$@"; do
		printf '%s"%s"' "$_comma" "$(printf %s "$_word" | sed 's/[\\"]/\\&/g')"
		_comma=,
	done
	_comma=
}

procd_open_service() {
	_service=$1
	_instances=
	_triggers=
}

procd_open_instance() { _params=; }

procd_set_param() {
	_param=$1
	shift
	case "$_param" in
	command | file | respawn | netdev) _params="$_params${_params:+,}\"$_param\":[$(words "$@")]" ;;
	reload_signal) _params="$_params${_params:+,}\"$_param\":$(kill -l "$1")" ;;
	term_timeout) _params="$_params${_params:+,}\"$_param\":$1" ;;
	*) _params="$_params${_params:+,}\"$_param\":\"$1\"" ;;
	esac
}

procd_close_instance() { _instances="$_instances${_instances:+,}\"instance1\":{$_params}"; }

procd_add_reload_trigger() {
	_triggers="$_triggers${_triggers:+,}[\"config.change\",\"$1\",\"/etc/init.d/$_service reload\",${PROCD_RELOAD_DELAY:-1000}]"
}

# The real one looks in /etc/config/fstab for the mounts that these folders are on, and adds nothing where there is none.
procd_add_restart_mount_trigger() {
	_triggers="$_triggers${_triggers:+,}[\"mount.add\",\"$1\",\"/etc/init.d/$_service restart\",${PROCD_RELOAD_DELAY:-1000}]"
}

procd_close_service() {
	service_triggers
	ubus call service set "{\"name\":\"$_service\",\"instances\":{$_instances},\"triggers\":[$_triggers]}"
}

procd_kill() { ubus call service delete "{\"name\":\"$1\"}"; }

procd_running() { ubus call service list "{\"name\":\"$1\"}" | grep -q '"running": *true'; }

procd_send_signal() { ubus call service signal "{\"name\":\"$1\",\"signal\":$(kill -l "$3")}"; }
