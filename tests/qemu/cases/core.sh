#!/bin/sh
# what: the main job on every architecture: ports, addresses and counters as they were sent, in both modes, over a restart and a crash
# machines: all
# programs: glacic
# memory: 256 mipsel=48
# checks: 33
# seconds: 300
# shellcheck disable=SC2154 # set by openwrt.sh
. /lib.sh
. /openwrt.sh

# Like openwrt.sh's, but with a second for each: not every busybox lets traceroute wait for none.
datagrams() {
	ip netns exec camera traceroute -n -q 1 -w 1 -f 9 -m "$((8 + $2))" -p "$(($1 - 1))" "$server" >/dev/null ||
		echo "no datagram was sent to $1"
}

flows() { glacic flows --all --json; }
is() { [ "$(state_of "$1")" = "$2" ]; }
came() { [ "$(arrived "$1")" = "$2" ]; }
tracked() { grep -q "src=192.168.1.10 .*dport=$1 " /proc/net/nf_conntrack; }
untracked() { ! tracked "$1"; }
echoes() { ip netns exec camera ping -c 1 -W 5 -q "$server" >/dev/null; }
# A count only grows.
not_within_a_second() { sleep 1 && not "$@"; }


# now: milliseconds since the router was turned on.
now() { awk '{ print int($1 * 1000) }' /proc/uptime; }
# kilobytes PID WHICH: VmRSS or VmHWM of a process.
kilobytes() { awk -v which="$2:" '$1 == which { print $2 }' "/proc/$1/status"; }
# The process that keeps root (docs/privileges.md).
steward() { grep -lx glacic-steward /proc/[0-9]*/comm | cut -d/ -f3; }
bytes() { cat "$@" | wc -c; }

figure "memory of the router, beside its kernel" "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)" KiB
house
# No connection is to end by itself before somebody has looked.
must sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=600
configure "option inline_mode '1'
	option fail_mode 'closed'
	option learning_mode '1'"
began=$(now)
must launch
figure "start, until the ruleset is in the kernel" $(($(now) - began)) ms
check "it reads the queue" [ "$(field mode)" = queue ]

# Fail-closed, so that nothing arrives but by a verdict.
datagrams 5001 5
check "in queue mode the first packet of a new flow arrives" until_true 10 came 5001 1
check "and the last one's" until_true 10 came 5005 1
check "the first flow is learned, by its port" until_true 10 is 5001 allowed
check "and the last" until_true 10 is 5005 allowed
check "with the device's address" [ "$(flows | grep -o "\"mac\":\"$camera\"" | sort -u | wc -l)" = 1 ]
check "an echo request arrives and is answered" echoes
learned_echo() { flows | grep -q '"proto":"icmp"'; }
check "and is learned as ICMP" until_true 10 learned_echo

check "learning is switched off" glacic learn off
datagrams 6001 1
check "what is new now does not arrive" not_within_a_second came 6001 1
check "and waits for the owner" until_true 10 is 6001 pending
check "the owner allows it" glacic allow --device camera --proto udp --port 6001
datagrams 6001 1
check "and it arrives" until_true 10 came 6001 1
counted() { flows | tr '{' '\n' | grep '"port":6001' | grep -q '"connections":[1-9]'; }
check "the kernel has counted it" until_true 30 counted

# A known flow is the kernel's: an entry of a connection, then a denial.
datagrams 5003 1
check "a learned flow goes on" until_true 10 came 5003 2
check "its connection is tracked" tracked 5003
check "the owner denies it" glacic deny --device camera --proto udp --port 5003
check "and the connection is cut" until_true 10 untracked 5003
datagrams 5003 1
check "what is denied does not arrive" not_within_a_second came 5003 3

figure "daemon, resident" "$(kilobytes "$daemon" VmRSS)" KiB 6144
figure "daemon, resident at most" "$(kilobytes "$daemon" VmHWM)" KiB 6144
figure "steward, resident" "$(kilobytes "$(steward)" VmRSS)" KiB 6144
check "the daemon ends when it is asked to" kill -TERM "$daemon"
wait "$daemon"
# What cross/targets allows is checked where it is built.
figure "program on flash" "$(bytes /bin/glacic)" bytes
figure "database and settings on flash" "$(bytes /etc/glacic/* /etc/config/glacic)" bytes 65536
configure "option inline_mode '0'
	option learning_mode '1'"
must launch
check "started anew, it reads the log" [ "$(field mode)" = log ]
glacic status --json >/run/status
check "a decision has outlived it" is 5003 denied
check "and so has the end of learning" grep -q '"learning":false' /run/status
check "learning is switched on again" glacic learn on
datagrams 7001 1
check "in log mode what is new arrives" until_true 10 came 7001 1
check "and is learned from the copy, by its port" until_true 10 is 7001 allowed
kill -9 "$daemon"
wait "$daemon"
datagrams 5003 1
check "killed, it leaves the denial in the kernel" not_within_a_second came 5003 3
must launch
# What was learned within the last ten seconds may be learned again.
check "what was learned is known after the crash" is 5001 allowed
check "and what was decided" is 5003 denied
