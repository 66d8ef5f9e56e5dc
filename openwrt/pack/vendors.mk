# The package glacic-vendors. Its table is made of a Debian package, which OpenWrt's buildroot does not have: so this is no
# Makefile of the feed.

include $(TOPDIR)/rules.mk

PKG_NAME:=glacic-vendors
PKG_VERSION:=$(shell date -u -d "@$$(cat /usr/share/ieee-data/.lastupdate)" +%Y%m%d)
PKG_RELEASE:=1

PKG_MAINTAINER:=The glacic authors
PKG_LICENSE:=PublicDomain

include $(INCLUDE_DIR)/package.mk

define Package/glacic-vendors
  SECTION:=net
  CATEGORY:=Network
  SUBMENU:=Firewall
  TITLE:=Names of vendors for glacic
  PKGARCH:=all
endef

define Package/glacic-vendors/description
  Whose a hardware address is, from the IEEE's public registry. Takes half a megabyte of flash, and only gives names.
endef

define Package/glacic-vendors/install
	$(INSTALL_DIR) $(1)/usr/share/glacic
	python3 $(CURDIR)/vendors.py > $(1)/usr/share/glacic/vendors
	chmod 0644 $(1)/usr/share/glacic/vendors
endef

$(eval $(call BuildPackage,glacic-vendors))
