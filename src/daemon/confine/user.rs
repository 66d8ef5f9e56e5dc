//! Users, as /etc/passwd has them: a router knows no other place.

use std::fs;

/// A user to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: libc::uid_t,
    pub gid: libc::gid_t,
}

const PASSWD: &str = "/etc/passwd";

impl User {
    pub fn named(name: &str) -> Option<User> {
        users(&fs::read_to_string(PASSWD).unwrap_or_default()).find(|user| user.name == name)
    }

    /// The name of a number, or the number.
    pub fn name_of(uid: libc::uid_t) -> String {
        let known = users(&fs::read_to_string(PASSWD).unwrap_or_default()).find(|user| user.uid == uid);
        known.map_or_else(|| uid.to_string(), |user| user.name)
    }
}

fn users(passwd: &str) -> impl Iterator<Item = User> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        Some(User { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_line_of_the_file() {
        let passwd =
            "root:x:0:0:root:/root:/bin/ash\n#glacic:x:1:1::\nbroken:x\nglacic:x:973:974::/var/run/glacic:/bin/false\n";
        let found: Vec<User> = users(passwd).filter(|user| user.name == "glacic").collect();
        assert_eq!(found, [User { name: "glacic".to_owned(), uid: 973, gid: 974 }]);
        assert_eq!(users(passwd).count(), 3);
    }
}
