//! Modules that the kernel may lack, and what the owner can do about each on this router.

use std::fmt;
use std::path::Path;

/// A module that glacic cannot do without for some of what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Module {
    /// nft's `queue`, and what it hands packets to.
    Queue,
    Log,
    Conntrack,
}

impl Module {
    /// The file without its `.ko`.
    pub fn name(self) -> &'static str {
        match self {
            Module::Queue => "nft_queue",
            Module::Log => "nfnetlink_log",
            Module::Conntrack => "nf_conntrack_netlink",
        }
    }

    /// OpenWrt's package.
    pub fn package(self) -> &'static str {
        match self {
            Module::Queue => "kmod-nft-queue",
            Module::Log => "kmod-nfnetlink-log",
            Module::Conntrack => "kmod-nf-conntrack-netlink",
        }
    }

    /// What does not work without it.
    pub fn without(self) -> &'static str {
        match self {
            Module::Queue => "this kernel cannot queue packets, so they are logged instead",
            Module::Log => "this kernel cannot hand over copies of packets, so nothing new is seen",
            Module::Conntrack => "connections cannot be ended, so what is denied may go on until it closes",
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How packages are installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Opkg,
    Apk,
}

/// What the router has of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf {
    /// The kernel that runs, as `uname -r` names it.
    pub running: String,
    /// Kernels for which the module is installed.
    pub kernels: Vec<String>,
    pub manager: Option<Manager>,
}

/// The sentence: what is missing, what follows, what to do.
pub fn told(module: Module, shelf: &Shelf) -> String {
    let Shelf { running, kernels, manager } = shelf;
    let (package, without) = (module.package(), module.without());
    if kernels.contains(running) {
        return format!(
            "{without}: {package} is installed, and its module is not loaded; reboot, or run modprobe {module}"
        );
    }
    if let Some(other) = kernels.first() {
        return format!(
            "{without}: {package} is installed for kernel {other}, but {running} runs; firmware and packages must be of \
             the same build: install both from one source"
        );
    }
    let install = match manager {
        Some(Manager::Opkg) => format!("opkg update && opkg install {package}"),
        Some(Manager::Apk) => format!("apk update && apk add {package}"),
        None => format!("install {package}"),
    };
    if running.is_empty() {
        return format!("{without}: {install}");
    }
    format!("{without}: {install} (where no package fits the kernel {running}, add it when you build the firmware)")
}

/// Looks what there is of a module.
#[cfg(target_os = "linux")]
pub fn look(module: Module) -> Shelf {
    look_in(Path::new("/"), module, &running())
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "routers are Linux"))]
fn look_in(root: &Path, module: Module, running: &str) -> Shelf {
    let file = format!("{}.ko", module.name());
    let folders = std::fs::read_dir(root.join("lib/modules")).into_iter().flatten().flatten();
    // OpenWrt keeps all modules of a kernel in one folder.
    let kept = folders.filter(|folder| folder.path().join(&file).exists());
    let mut kernels: Vec<String> = kept.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
    kernels.sort();
    let has = |program: &str| root.join(program).exists();
    let manager = match (has("usr/bin/apk") || has("sbin/apk"), has("bin/opkg")) {
        (true, _) => Some(Manager::Apk),
        (false, true) => Some(Manager::Opkg),
        (false, false) => None,
    };
    Shelf { running: running.to_owned(), kernels, manager }
}

#[cfg(target_os = "linux")]
fn running() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(kernels: &[&str], manager: Option<Manager>) -> Shelf {
        let kernels = kernels.iter().map(|kernel| (*kernel).to_owned()).collect();
        Shelf { running: "6.6.73".to_owned(), kernels, manager }
    }

    #[test]
    fn what_is_not_installed_is_named_with_the_command_that_installs_it() {
        let opkg = told(Module::Queue, &shelf(&[], Some(Manager::Opkg)));
        assert!(opkg.contains("logged instead: opkg update && opkg install kmod-nft-queue ("), "{opkg}");
        let apk = told(Module::Log, &shelf(&[], Some(Manager::Apk)));
        assert!(apk.contains("apk update && apk add kmod-nfnetlink-log ("), "{apk}");
        assert!(told(Module::Conntrack, &shelf(&[], None)).contains("install kmod-nf-conntrack-netlink"));
    }

    #[test]
    fn what_is_installed_for_another_kernel_is_told_apart() {
        let other = told(Module::Queue, &shelf(&["6.6.69"], Some(Manager::Opkg)));
        assert!(other.contains("is installed for kernel 6.6.69, but 6.6.73 runs"), "{other}");
        assert!(!other.contains("opkg install"), "installing it again does not help: {other}");
        let here = told(Module::Queue, &shelf(&["6.6.69", "6.6.73"], Some(Manager::Opkg)));
        assert!(here.contains("modprobe nft_queue"), "{here}");
    }

    #[test]
    fn folders_of_modules_are_looked_through() {
        let root = std::env::temp_dir().join(format!("glacic-modules-{}", std::process::id()));
        for (kernel, file) in [("6.6.73", "nfnetlink_log.ko"), ("6.6.69", "nft_queue.ko")] {
            let folder = root.join("lib/modules").join(kernel);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/opkg"), "").unwrap();
        assert_eq!(look_in(&root, Module::Queue, "6.6.73"), shelf(&["6.6.69"], Some(Manager::Opkg)));
        assert_eq!(look_in(&root, Module::Log, "6.6.73"), shelf(&["6.6.73"], Some(Manager::Opkg)));
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        std::fs::write(root.join("usr/bin/apk"), "").unwrap();
        assert_eq!(look_in(&root, Module::Conntrack, "6.6.73"), shelf(&[], Some(Manager::Apk)));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
