# Stands in for the reading half of UCI in shell.

config() {
	_section=${2:-cfg$((_count = ${_count:-0} + 1))}
	_sections="$_sections $_section"
	eval "_type_$_section=\$1"
}

option() { eval "_value_${_section}_$1=\$2"; }

list() { eval "_value_${_section}_$1=\"\${_value_${_section}_$1:+\$_value_${_section}_$1 }\$2\""; }

# As uci does: what was set and not committed counts, unless the file is named with its path.
config_load() {
	case "$1" in
	/*)
		_file=$1
		_uncommitted=
		;;
	*)
		_file=/etc/config/$1
		_uncommitted=/tmp/.uci/$1
		;;
	esac
	[ -f "$_file" ] || return 1
	(. "$_file") >/dev/null 2>&1 || return 1
	eval "$(set | sed -n 's/^\(_value_[A-Za-z0-9_]*\)=.*/unset \1;/p')"
	_sections=
	. "$_file"
	[ ! -f "$_uncommitted" ] || eval "$(sed -n "s/^$1\.\([A-Za-z0-9_]*\)\.\([A-Za-z0-9_]*\)=/_value_\1_\2=/p" "$_uncommitted")"
}

# config_get VARIABLE SECTION OPTION [DEFAULT]
config_get() { eval "$1=\${_value_$2_$3:-\$4}"; }

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; *) $1=0 ;; esac"
}

config_foreach() {
	for _each in $_sections; do
		eval "[ \"\$_type_$_each\" = \"$2\" ]" && "$1" "$_each"
	done
	return 0
}

config_list_foreach() {
	config_get _items "$1" "$2"
	for _item in $_items; do
		"$3" "$_item"
	done
}
