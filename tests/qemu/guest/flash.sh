# What every flash must be good for, whatever file system is on it: `. /flash.sh` after `. /openwrt.sh`, with the flash
# mounted at /overlay.
# shellcheck shell=sh

decide() { glacic "$1" --device camera --proto udp --port "$2" >/run/said 2>&1; }
said() { grep -q "$1" /run/said; }
trouble() { glacic status --json | grep -q '"trouble":"'; }

# Noise, since a file system may compress; a page at a time, then what still fits.
full() {
	for _size in 4096 512 16; do
		dd if=/dev/urandom bs="$_size" >>/overlay/filler 2>/dev/null
	done
	not dd if=/dev/urandom of=/overlay/more bs=4k count=1 2>/dev/null
}

# The log of the database has room for some more; then a decision cannot be kept.
decide_until_refused() {
	for _port in $(seq 5100 5199); do
		decide deny "$_port" || return 0
	done
	return 1
}

# flash_is_full: eleven checks. Afterwards $_port is the flow that could not be kept at once.
flash_is_full() {
	check "a decision is taken" decide allow 5001
	check "what is allowed passes" passes 5001
	check "what is unknown does not" stays 5002

	check "the flash is full" full
	check "a decision that cannot be kept is told so" decide_until_refused
	check "it says how long it holds" said "until the next restart"
	check "what cannot be kept can be seen in the status" trouble
	check "it is in force nevertheless" state_is "$_port" denied
	refuse "so is another" decide allow 5002
	check "what it allows passes" passes 5002
	rm -f /overlay/filler /overlay/more
	check "when there is room again, all of it is written" until_true 120 not trouble
}

# flash_is_read_only: nine checks.
flash_is_read_only() {
	must quit
	must mount -o remount,ro /overlay
	check "with a flash that can only be read the daemon starts" launch
	check "it knows what was decided" state_is 5001 allowed
	check "what is allowed passes" passes 5001
	check "what is unknown does not" stays 5004
	check "it says so in the status" trouble
	refuse "a decision that cannot be kept is told so" decide allow 5004
	check "it says how long it holds" said "until the next restart"
	check "it is in force nevertheless" passes 5004
	must mount -o remount,rw /overlay
	check "when it can be written again, all of it is" until_true 120 not trouble
}
