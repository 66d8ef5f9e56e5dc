# What LuCI's luci.mk does for an app: htdocs/ goes to /www, root/ to /, and LuCI's caches are emptied. A package of its own
# for each language below po/, which LuCI then offers under the name it has here.

LUCI_LANG.de=Deutsch (German)

PKG_NAME?=$(notdir $(CURDIR))
PKG_VERSION?=$(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q}' $(CURDIR)/../../Cargo.toml)
PKG_RELEASE?=1
PKG_LICENSE?=Apache-2.0
LUCI_MAINTAINER?=OpenWrt LuCI community
LUCI_URL?=https://github.com/openwrt/luci

include $(INCLUDE_DIR)/package.mk

define Package/$(PKG_NAME)
  SECTION:=luci
  CATEGORY:=LuCI
  TITLE:=$(LUCI_TITLE)
  DEPENDS:=$(LUCI_DEPENDS)
  PKGARCH:=$(LUCI_PKGARCH)
  URL:=$(LUCI_URL)
  MAINTAINER:=$(LUCI_MAINTAINER)
endef

define Package/$(PKG_NAME)/install
	$(if $(wildcard htdocs),$(INSTALL_DIR) $(1)/www && cp -R htdocs/. $(1)/www/)
	$(if $(wildcard root),cp -R root/. $(1)/)
	find $(1) -type d -exec chmod 0755 {} +
	find $(1) -type f -exec chmod 0644 {} +
	$(if $(wildcard root/etc/uci-defaults),chmod 0755 $(1)/etc/uci-defaults/*)
endef

define Package/$(PKG_NAME)/postinst
#!/bin/sh
[ -z "$${IPKG_INSTROOT}" ] || exit 0
rm -f /tmp/luci-indexcache.*
rm -rf /tmp/luci-modulecache/
[ -x /etc/init.d/rpcd ] && /etc/init.d/rpcd reload
exit 0
endef

$(eval $(call BuildPackage,$(PKG_NAME)))

LUCI_BASENAME?=$(patsubst luci-app-%,%,$(PKG_NAME))

define Pack/Language
define Package/luci-i18n-$(LUCI_BASENAME)-$(1)
  SECTION:=luci
  TITLE:=$(PKG_NAME) - $(1) translation
  DEPENDS:=$(PKG_NAME)
  PKGARCH:=all
  URL:=$(LUCI_URL)
  MAINTAINER:=$(LUCI_MAINTAINER)
endef

define Package/luci-i18n-$(LUCI_BASENAME)-$(1)/install
	$$(INSTALL_DIR) $$(1)/etc/uci-defaults
	echo "uci set luci.languages.$(1)='$(or $(LUCI_LANG.$(1)),$(error $(1) has no name in luci.mk))'; uci commit luci" >$$(1)/etc/uci-defaults/luci-i18n-$(LUCI_BASENAME)-$(1)
	chmod 0755 $$(1)/etc/uci-defaults/luci-i18n-$(LUCI_BASENAME)-$(1)
	$$(INSTALL_DIR) $$(1)/usr/lib/lua/luci/i18n
	python3 $(TOPDIR)/../lmo.py po/$(1)/$(LUCI_BASENAME).po $$(1)/usr/lib/lua/luci/i18n/$(LUCI_BASENAME).$(1).lmo
	chmod 0644 $$(1)/usr/lib/lua/luci/i18n/$(LUCI_BASENAME).$(1).lmo
endef

$$(eval $$(call BuildPackage,luci-i18n-$(LUCI_BASENAME)-$(1)))
endef

$(foreach language,$(filter-out templates,$(notdir $(wildcard po/*))),$(eval $(call Pack/Language,$(language))))
