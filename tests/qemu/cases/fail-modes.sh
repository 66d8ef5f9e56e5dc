#!/bin/sh
# what: first packets with no daemon, with one that hangs, dies or is overrun, fail-open and fail-closed
# cargo-test: namespace --include-ignored standing
# machines: x86_64 x86_64-newer
# checks: listed
# programs: glacic
# memory: 512
# seconds: 600
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
# As OpenWrt has it; by itself a guest of this size tracks fewer connections than a queue holds packets.
sysctl -q -w net.netfilter.nf_conntrack_max=16384
cargo_test
