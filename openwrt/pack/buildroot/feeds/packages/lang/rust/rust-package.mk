# The program is there already: nothing is built.

RUST_ARCH_DEPENDS:=
RustBinPackage=
