# What a package's Makefile takes from OpenWrt's buildroot, as far as packing a finished program needs it: the words are
# the buildroot's, what they do is ours. PACK_OUT is where the result goes, PKG_INSTALL_DIR has bin/ with the program.

INCLUDE_DIR:=$(TOPDIR)/include
CP:=cp -fpR
LN:=ln -sf
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_CONF:=install -m0600
INSTALL_DATA:=install -m0644
