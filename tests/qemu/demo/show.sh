#!/bin/sh
# what: the main job, told step by step: learn in both modes, enforce, decide, and let the kernel answer
# files: tests/qemu/demo/fw4 tests/qemu/demo/fw4.nft
# programs: glacic
# checks: 48
# seconds: 300
. /lib.sh

# ---- how the story is told. What it says is checked as it is said: the first thing that is not so ends it.

chapter() { printf '\n%s\n\n' "$*"; }
say() { printf '  %s\n' "$*"; }

# expect TEXT COMMAND…: quiet while all is well.
expect() {
	_text="$1"
	shift
	if "$@"; then
		echo "$_text" >>/run/passed
		return
	fi
	echo "$_text" >>/run/failed
	printf '\nThis should have happened and did not: %s\n  (%s)\n\nWhat the daemon said:\n' "$_text" "$*"
	cat /run/daemon.log
	exit 1
}

# shown COMMAND…: runs it as an owner would, with what it prints.
shown() {
	printf '\n    # %s\n' "$*"
	"$@" >/run/output 2>&1
	_code=$?
	expand /run/output | sed 's/^/    /'
	echo
	return "$_code"
}

# ---- the house: a camera behind br-lan, a server behind wan, a firewall like OpenWrt's between them

camera=b8:27:eb:00:00:01

house() {
	for name in camera server; do
		must ip netns add "$name"
		must ip -n "$name" link set lo up
	done
	must ip link add br-lan type bridge
	must ip link add lan1 type veth peer name eth0 netns camera
	must ip link add wan type veth peer name eth0 netns server
	must ip link set lan1 master br-lan
	must ip -n camera link set eth0 address "$camera"
	must ip addr add 192.168.1.1/24 dev br-lan
	must ip addr add 203.0.113.1/24 dev wan
	must ip -n camera addr add 192.168.1.10/24 dev eth0
	must ip -n server addr add 203.0.113.10/24 dev eth0
	for link in br-lan lan1 wan; do must ip link set "$link" up; done
	for name in camera server; do must ip -n "$name" link set eth0 up; done
	must ip -n camera route add default via 192.168.1.1
	must ip -n server route add default via 203.0.113.1
	must sysctl -q -w net.ipv4.ip_forward=1

	must cp /files/tests/qemu/demo/fw4.nft /etc/fw4.nft
	must cp /files/tests/qemu/demo/fw4 /sbin/fw4
	must chmod 755 /sbin/fw4
	mkdir -p /etc/config /etc/glacic /etc/forwardings /usr/share/nftables.d/chain-post/forward /var/run/glacic
	# With these names nft prints "udp" where it would print 17.
	printf 'tcp 6 TCP\nudp 17 UDP\n' >/etc/protocols
	# What the package brings: a place in fw4 for what glacic publishes.
	echo 'include "/var/run/glacic/forward/*.nft"' >/usr/share/nftables.d/chain-post/forward/glacic.nft
	must fw4 reload
	# The server counts what reaches it, and answers nothing.
	must ip netns exec server nft -f - <<-END
		table inet counts {
			set arrived { type inet_service; flags dynamic; counter; }
			chain input { type filter hook input priority filter; policy accept;
				meta l4proto udp update @arrived { udp dport } drop
			}
		}
	END
	must until_true 10 ip netns exec camera ping -c 1 -W 1 -q 192.168.1.1 >/dev/null
}

# ---- one datagram, and what became of it

# arrived PORT: how many have reached the server.
arrived() {
	_count=$(ip netns exec server nft list set inet counts arrived | sed -n "s/.*[ ,{]$1 counter packets \([0-9]*\).*/\1/p")
	echo "${_count:-0}"
}

# How many packets the kernel has handed to glacic in this mode, by the kernel's own count: the number of the last one
# held, or the counter of the rules that copy and refuse.
handed() {
	case "$mode" in
	queue) while read -r _ _ _ _ _ _ _ number _; do echo "$number"; done </proc/net/netfilter/nfnetlink_queue ;;
	log) nft list chain inet fw4 forward | sed -n 's/.*counter packets \([0-9]*\) .*drop comment "glacic.*/\1/p' | sum ;;
	esac
}
sum() { awk '{ sum += $1 } END { print sum + 0 }'; }

# datagram PORT HANDED ARRIVED: the camera sends one, from a source port of its own each time, and both numbers must come
# out. traceroute sends exactly one here (it counts up from its base port) and waits a second for an answer.
datagram() {
	_was=$(state_of "$1")
	_handed=$(handed)
	_arrived=$(arrived "$1")
	ip netns exec camera traceroute -n -q 1 -f 9 -m 9 -w 1 -p "$(($1 - 1))" 203.0.113.10 >/dev/null 2>&1
	_handed=$(($(handed) - _handed))
	_arrived=$(($(arrived "$1") - _arrived))
	say "camera -> server udp/$1 ($_was): 1 datagram sent, $_handed handed to glacic, $_arrived arrived"
	expect "$2 of 1 datagram is handed to glacic (udp/$1, $_was)" [ "$_handed" = "$2" ]
	expect "$3 of 1 datagram arrives (udp/$1, $_was)" [ "$_arrived" = "$3" ]
	expect "the daemon tells its state" status
	row "$(field placement)" "$(field mode)" "$(on_or_off "$(field learning)")" "udp/$1" "$_was" "$_handed" "$_arrived"
}
row() { printf '  %-11s%-7s%-10s%-10s%-9s%8s%9s\n' "$@" >>/run/table; }
on_or_off() { case "$1" in true) echo on ;; *) echo off ;; esac }

# ---- glacic

daemon=
# start PLACEMENT MODE: starts the daemon, learning.
start() {
	mode="$2"
	case "$mode" in queue) inline=1 ;; *) inline=0 ;; esac
	cat >/etc/config/glacic <<-END
		config rule_learning 'main'
			option enabled '1'
			option placement '$1'
			option inline_mode '$inline'
			option learning_mode '1'
			list interface 'br-lan'

		config device
			option mac '$camera'
			option name 'camera'
	END
	glacic daemon --foreground >/run/daemon.log 2>&1 &
	daemon=$!
	expect "the daemon runs and its ruleset is in the kernel" until_true 60 ready
	expect "it stands where it was told to" [ "$(field placement)" = "$1" ]
	expect "it listens in the way it was told to" [ "$(field mode)" = "$2" ]
	expect "it learns" [ "$(field learning)" = true ]
}
ready() { status && [ "$(field ruleset)" = true ]; }

# field NAME: of what the daemon said of itself when it was asked last.
status() { glacic status --json >/run/status 2>/dev/null; }
field() { sed -n "s/.*\"$1\":\"*\([a-z]*\).*/\1/p" /run/status; }
stop() { kill "$daemon" && wait "$daemon"; }

# state_of PORT: as `glacic flows` has it, or "unknown".
state_of() { glacic flows --port "$1" 2>/dev/null | awk 'NR == 2 { found = $2 } END { print found ? found : "unknown" }'; }
state_is() { [ "$(state_of "$1")" = "$2" ]; }
id_of() { glacic flows --port "$1" | awk 'NR == 2 { print $1 }'; }

# in_set PORT WORDS: whether the kernel's map has the flow, and whatever WORDS say of its counter.
in_set() { nft list map inet glacic flows | grep -q "$camera \. udp \. $1 counter $2"; }
learned() {
	expect "the flow is learned" until_true 15 state_is "$1" allowed
	expect "the kernel's map has it" until_true 5 in_set "$1" packets
}

# ---- the story

row PLACEMENT MODE LEARNING SERVICE FLOW HANDED ARRIVED
house
say "camera 192.168.1.10 --- br-lan [ router ] wan --- 203.0.113.10 server"
say ""
say "The router's firewall is laid out like OpenWrt's and refuses whatever the camera sends. glacic stands"
say "behind that refusal and opens what it knows (placement fallback). It learns: what is new is allowed."

chapter "1. Log mode: glacic gets a copy. Until it has learned from that, the datagram itself is gone."
start fallback log
datagram 9001 1 0
learned 9001
datagram 9001 0 1
expect "flows are listed" shown glacic flows
say "The first datagram is lost. The second passes without glacic: the flow is in the kernel's map now."
expect "the daemon leaves when told" stop

chapter "2. Queue mode: the kernel holds the datagram itself until glacic has answered."
start fallback queue
datagram 9002 1 1
learned 9002
datagram 9002 0 1
expect "flows are listed" shown glacic flows
say "Nothing is lost, and glacic was asked only once."
expect "the daemon leaves when told" stop

chapter "3. Guard: now the firewall lets the camera out, and glacic takes away what is new."
echo 'oifname "wan" accept' >/etc/forwardings/lan-wan.nft
must fw4 reload
start guard queue
say "The owner ends the learning. What was learned goes on, what is new waits:"
expect "learning ends" shown glacic learn off
datagram 9002 0 1
datagram 9003 1 0
expect "the new flow waits for the owner" until_true 15 state_is 9003 pending
expect "flows are listed" shown glacic flows --state pending
say "The owner allows it:"
expect "the owner's word is taken" shown glacic allow "$(id_of 9003)"
datagram 9003 0 1
say "The kernel answered by itself, from its map, which counts the connections of each flow:"
expect "the map is listed" shown nft list map inet glacic flows
expect "the map has counted one connection of the new flow" in_set 9003 "packets 1 "
expect "the daemon leaves when told" stop

printf '\nWhat was measured, of one datagram each:\n\n'
cat /run/table
echo
say "FLOW is what glacic knew of it before. HANDED: packets the kernel handed to glacic, by the kernel's count:"
say "copied in log mode, held in queue mode. ARRIVED: packets the server received."
