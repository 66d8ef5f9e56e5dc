#!/bin/sh
# what: floods from forged addresses and kill -9 at random moments, with the kernel's own queue expression
# cargo-test: namespace overload crashes
# checks: listed
# programs: glacic
# memory: 768
# seconds: 1200
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
