//! For tests: a small file system of their own, which can be full, read-only, or covered by another. Needs root.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{MNT_DETACH, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT};

const NONE: &str = "none";

/// Runs a test in the root of such a file system, in a mount namespace that only its thread sees.
pub fn on_a_file_system(size: &str, test: impl FnOnce(&Path) + Send + 'static) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("glacic-flash-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let (directory, data) = (std::env::temp_dir().join(name), format!("size={size}"));
    std::fs::create_dir_all(&directory).unwrap();
    let root = directory.clone();
    let thread = std::thread::spawn(move || {
        // SAFETY: takes no pointers; the namespace is this thread's alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return eprintln!("not tested: a mount namespace needs root");
        }
        mount(Path::new(NONE), Path::new("/"), MS_REC | MS_PRIVATE, "");
        mount(Path::new(NONE), &root, 0, &data);
        test(&root);
        let root = text(&root);
        // SAFETY: the path is a string that lives until after the call.
        unsafe { libc::umount2(root.as_ptr(), MNT_DETACH) };
    });
    let outcome = thread.join();
    let _ = std::fs::remove_dir_all(&directory);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Whether the file system can be written from now on.
pub fn read_only(directory: &Path, yes: bool) {
    mount(Path::new(NONE), directory, MS_REMOUNT | if yes { MS_RDONLY } else { 0 }, "");
}

/// Mounts a file system in memory; or, with `MS_BIND`, what lies at `source`.
pub fn mount(source: &Path, target: &Path, flags: libc::c_ulong, data: &str) {
    let (source, target, data) = (text(source), text(target), text(Path::new(data)));
    // SAFETY: every pointer is a string that lives until after the call.
    let done = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), flags, data.as_ptr().cast()) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}
