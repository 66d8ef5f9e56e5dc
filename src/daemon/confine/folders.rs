//! Hands the daemon's folders over to the user it becomes, and takes them back where it stays root.
//!
//! Only a folder of glacic's own is handed over: one that was just made, that is named `glacic`, or that is the user's
//! already (root's own are mostly not glacic's). In it only folders and plain files with a single name are: a link that
//! somebody planted leads nowhere. What is the user's already is not touched: a read-only or full flash refuses even that.

use std::ffi::CString;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use super::user::User;

/// Makes the folder where it is missing, and hands it over with what is in it. An error says why the user could not
/// work there.
pub fn hand_over(folder: &Path, user: &User) -> Result<(), String> {
    let made = make(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let trouble = |error: io::Error| format!("{} cannot be handed over: {error}", folder.display());
    let held = open(folder).map_err(trouble)?;
    let found = fs::metadata(folder).map_err(trouble)?;
    let theirs = found.uid() == user.uid;
    let own = made || theirs && user.uid != 0 || folder.file_name().is_some_and(|name| name == "glacic");
    if own && found.is_dir() {
        if !theirs {
            give(&held, user).map_err(trouble)?;
        }
        hand_over_content(folder, user, 1);
    }
    let found = fs::metadata(folder).map_err(trouble)?;
    match writable(&found, user) {
        true => Ok(()),
        false => Err(format!(
            "{} belongs to others: give glacic a folder of its own, for example {}",
            folder.display(),
            folder.join("glacic").display()
        )),
    }
}

/// Says whether it had to be made.
fn make(folder: &Path) -> io::Result<bool> {
    if folder.is_dir() {
        return Ok(false);
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn writable(found: &Metadata, user: &User) -> bool {
    let mode = found.mode();
    user.uid == 0
        || found.uid() == user.uid && mode & 0o200 != 0
        || found.gid() == user.gid && mode & 0o020 != 0
        || mode & 0o002 != 0
}

/// What cannot be handed over is met later, by whoever needs it.
fn hand_over_content(folder: &Path, user: &User, depth: u32) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Opened once, without following it: what is looked at is what is given.
        let Ok(held) = open(&path) else { continue };
        let Ok(found) = metadata(&held) else { continue };
        let plain = found.is_file() && found.nlink() == 1;
        if found.uid() != user.uid && (plain || found.is_dir()) {
            let _ = give(&held, user);
        }
        if found.is_dir() && depth > 0 {
            hand_over_content(&path, user, depth.saturating_sub(1));
        }
    }
}

/// A name that is held and leads to nothing else any more; a link is held itself.
fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    // SAFETY: `path` is a C string that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn metadata(held: &OwnedFd) -> io::Result<Metadata> {
    fs::File::from(held.try_clone()?).metadata()
}

fn give(held: &OwnedFd, user: &User) -> io::Result<()> {
    // SAFETY: the path is empty: the call is about the descriptor, which `held` keeps open.
    let done = unsafe { libc::fchownat(held.as_raw_fd(), c"".as_ptr(), user.uid, user.gid, libc::AT_EMPTY_PATH) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::super::privileges::is_root;
    use super::*;
    use crate::flash::{on_a_file_system, read_only};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("glacic-folders-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn somebody(id: u32) -> User {
        User { name: "somebody".to_owned(), uid: id, gid: id }
    }

    fn owner(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().uid()
    }

    #[test]
    fn a_folder_of_ours_is_handed_over_with_its_files_and_without_links() {
        if !is_root() {
            return eprintln!("not tested: handing over needs root");
        }
        let user = somebody(12_345);
        let outside = Folder::new("outside");
        let precious = outside.0.join("precious");
        fs::write(&precious, "").unwrap();
        let ours = Folder::new("ours").0.join("glacic");
        fs::create_dir_all(ours.join("forward")).unwrap();
        for file in ["flows.db", "forward/glacic.nft"] {
            fs::write(ours.join(file), "").unwrap();
        }
        symlink(&precious, ours.join("link")).unwrap();
        fs::hard_link(&precious, ours.join("second-name")).unwrap();
        assert_eq!(hand_over(&ours, &user), Ok(()));
        for theirs in ["", "flows.db", "forward", "forward/glacic.nft"] {
            assert_eq!(owner(&ours.join(theirs)), user.uid, "{theirs}");
        }
        assert_eq!(owner(&precious), 0);

        assert_eq!(hand_over(&ours, &somebody(0)), Ok(()), "and back");
        assert_eq!(owner(&ours.join("flows.db")), 0);
    }

    #[test]
    fn on_a_read_only_flash_what_is_the_users_already_will_do() {
        if !is_root() {
            return eprintln!("not tested: handing over needs root");
        }
        on_a_file_system("1m", |etc| {
            let ours = etc.join("glacic");
            fs::create_dir(&ours).unwrap();
            fs::write(ours.join("flows.db"), "").unwrap();
            assert_eq!(hand_over(&ours, &somebody(12_345)), Ok(()));
            read_only(etc, true);
            assert_eq!(hand_over(&ours, &somebody(12_345)), Ok(()));
            let refused = hand_over(&ours, &somebody(54_321)).unwrap_err();
            assert!(refused.contains("cannot be handed over"), "it is read-only indeed: {refused}");
        });
    }

    #[test]
    fn root_takes_nothing_that_is_somebody_elses() {
        if !is_root() {
            return eprintln!("not tested: handing over needs root");
        }
        let shares = Folder::new("shares");
        let film = shares.0.join("film");
        fs::write(&film, "").unwrap();
        std::os::unix::fs::chown(&film, Some(1_000), Some(1_000)).unwrap();
        assert_eq!(hand_over(&shares.0, &somebody(0)), Ok(()), "root can work there");
        assert_eq!(owner(&film), 1_000);
    }

    #[test]
    fn a_folder_of_others_is_left_alone_and_named() {
        if !is_root() {
            return eprintln!("not tested: handing over needs root");
        }
        let user = somebody(12_345);
        let theirs = Folder::new("theirs");
        let refused = hand_over(&theirs.0, &user).unwrap_err();
        assert!(refused.contains("a folder of its own"), "{refused}");
        assert_eq!(owner(&theirs.0), 0);
        assert_eq!(hand_over(&theirs.0.join("new"), &user), Ok(()), "a new one is ours");
        assert_eq!(owner(&theirs.0.join("new")), user.uid);
    }
}
