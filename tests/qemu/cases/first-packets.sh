#!/bin/sh
# what: the first packet of every kind of flow, in log and in queue mode, with the kernel's own queue expression
# cargo-test: namespace first_packets matrix
# machines: x86_64 x86_64-newer
# checks: listed
# programs: glacic
# memory: 512
# seconds: 900
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
