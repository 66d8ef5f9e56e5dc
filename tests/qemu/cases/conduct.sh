#!/bin/sh
# what: what the daemon must never do, how it lives and what stays when it is gone, with the kernel's own queue expression
# cargo-test: namespace kit life not_flows options refusals gone
# checks: listed
# programs: glacic
# memory: 512
# seconds: 600
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
