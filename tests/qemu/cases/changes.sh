#!/bin/sh
# what: settings, the firewall and the guarded interface change under traffic, and somebody flushes the ruleset
# cargo-test: namespace changes
# checks: listed
# programs: glacic
# memory: 512
# seconds: 900
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
