#!/bin/sh
# what: what the owner can set, what the daemon must never do, and what stays when it is gone, with the kernel's own queue expression
# cargo-test: namespace options refusals gone
# checks: listed
# programs: glacic
# memory: 512
# seconds: 2400
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
