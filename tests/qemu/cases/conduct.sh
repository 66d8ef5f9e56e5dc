#!/bin/sh
# what: how the daemon lives, and what is no flow, with the kernel's own queue expression
# cargo-test: namespace kit life not_flows disguised
# checks: listed
# programs: glacic
# memory: 512
# seconds: 1200
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
