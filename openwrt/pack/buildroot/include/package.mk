# BuildPackage: a folder a package, with root/ (its files) and a file a fact. The scripts are those of the buildroot, less
# its wrapping; pack.py wraps them for either format.

define Pack/Default
  SECTION:=
  TITLE:=
  URL:=
  MAINTAINER:=$(PKG_MAINTAINER)
  DEPENDS:=
  PROVIDES:=
  PKGARCH:=
  USERID:=
endef

define Pack/Fact
	$(file >$(PACK_OUT)/$(1)/$(2),$(3))
endef

define BuildPackage
  $(eval $(Pack/Default))
  $(eval $(Package/$(1)))
  pack: pack-$(1)
  .PHONY: pack-$(1) root-$(1)
  pack-$(1): pack_fields:=$(subst $$,$$$$,SECTION $(SECTION)|TITLE $(TITLE)|URL $(URL)|MAINTAINER $(MAINTAINER)|DEPENDS $(DEPENDS)|PKGARCH $(PKGARCH)|USERID $(USERID))
  root-$(1):
	install -d -m0755 $(PACK_OUT)/$(1)/root
  pack-$(1): root-$(1)
	$$(foreach fact,description conffiles preinst postinst prerm postrm,$$(if $$(value Package/$(1)/$$(fact)),$$(call Pack/Fact,$(1),$$(fact),$$(Package/$(1)/$$(fact)))))
	$$(call Pack/Fact,$(1),fields,$$(pack_fields)|VERSION $(PKG_VERSION)-r$(PKG_RELEASE)|LICENSE $(PKG_LICENSE)|SOURCE $(PKG_NAME))
	$$(call Package/$(1)/install,$(PACK_OUT)/$(1)/root)
endef

.PHONY: pack
.DEFAULT_GOAL:=pack
