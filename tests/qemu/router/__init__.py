"""An emulated router: a Debian kernel, an initramfs of our own, and cases that run in it.

Standard library only. Nothing here needs root, and nothing is written outside the build's
target directory and the cache (see cache.py)."""
