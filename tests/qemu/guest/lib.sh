# What cases stand on: `. /lib.sh`. Every check is counted; the host knows how many there must be.
# shellcheck shell=sh

# busybox's shell prefers its own ip, which knows no namespaces.
ip() { /bin/ip "$@"; }

# check TEXT COMMAND…: passes if the command succeeds.
check() {
	_text="$1"
	shift
	if "$@"; then
		echo "ok: $_text"
		echo "$_text" >>/run/passed
	else
		echo "FAILED: $_text ($*)"
		echo "$_text" >>/run/failed
	fi
}

# refuse TEXT COMMAND…: passes if the command fails.
refuse() {
	_text="$1"
	shift
	check "$_text" not "$@"
}

not() { ! "$@"; }

# must COMMAND…: what the case stands on. A failure ends the case.
must() {
	"$@" && return
	echo "FAILED: the case needs: $*"
	echo "$*" >>/run/failed
	exit 1
}

# until_true SECONDS COMMAND…: waits for a condition, and fails when the time is over.
until_true() {
	_tries=$(($1 * 10))
	shift
	while ! "$@" 2>/dev/null; do
		_tries=$((_tries - 1))
		[ "$_tries" -gt 0 ] || return 1
		usleep 100000
	done
}

# cargo_test: runs the case's test program with the arguments of its `cargo-test` line, one test after the other.
# Each test that passed is a check, and so is each that failed or was ignored.
cargo_test() {
	eval "set -- $(cat /case/arguments)"
	{
		"$@" --test-threads=1
		echo "$?" >/run/test-code
	} 2>&1 | tee /run/test-output
	_result=$(grep '^test result: ' /run/test-output | tail -n 1)
	_tests passed >>/run/passed
	_tests failed >>/run/failed
	_tests ignored >>/run/failed
	return "$(cat /run/test-code)"
}

# As many lines as the test program's summary counts of one kind.
_tests() {
	_count=$(echo "$_result" | sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1;.*/\1/p")
	yes "$1" | head -n "${_count:-0}"
}

# figure TEXT VALUE UNIT [BUDGET]: a number for the table of figures. With a budget, to keep to it is a check.
figure() {
	case "$2" in '' | *[!0-9]*) check "a number is measured: $1" false ;; esac
	echo "figure: $1 = $2 $3${4:+ of $4}"
	[ -z "${4:-}" ] || check "$1: $2 of at most $4 $3" [ "$2" -le "$4" ]
}
# keep TEXT: a line that the host keeps over a cut of the power; the next boots find it in /case/kept.
keep() { _tell "keep $*"; }

# cut_power MILLISECONDS: the power fails at some moment within this time, while the case goes on, and the router is turned on
# again. Checks made from now on do not count.
cut_power() { _tell "cut milliseconds=$1 passed=$(wc -l </run/passed) failed=$(wc -l </run/failed)"; }

# Which time the router was turned on: 1, 2, …
boot() { cat /run/boot; }

_tell() { printf '\n%s %s\n' "$(cat /run/nonce)" "$*"; }
