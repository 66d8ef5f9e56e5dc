//! Who made a device, from the vendor table: a binary search in the file, which is never read as a whole.
//!
//! The file is data of another package (docs/vendors.md), may be missing, and is not trusted: whatever is in it, a look-up
//! ends after a bounded number of short reads, and a name is short, printable text.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::flow::Mac;

const TABLE: &str = "/usr/share/glacic/vendors";

/// Another table, for tests.
const ELSEWHERE: &str = "GLACIC_VENDORS";

/// The longest line, in bytes, with room to spare.
const LINE: usize = 128;

/// A part of the file that is read as a whole.
const SMALL: usize = 4 * LINE;

/// The longest name, in bytes.
const NAME: usize = 48;

/// The table, and what was looked up in it already.
pub struct Vendors {
    table: Option<(File, u64)>,
    known: BTreeMap<Mac, Option<String>>,
}

impl Vendors {
    /// The installed table; an empty one where there is none.
    pub fn open() -> Vendors {
        let path = std::env::var_os(ELSEWHERE).map_or_else(|| PathBuf::from(TABLE), PathBuf::from);
        Vendors::of(File::open(path).ok())
    }

    #[cfg(test)]
    pub fn none() -> Vendors {
        Vendors::of(None)
    }

    fn of(file: Option<File>) -> Vendors {
        let table = file.and_then(|file| {
            let about = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((file, about.len()))
        });
        Vendors { table, known: BTreeMap::new() }
    }

    /// The vendor of a device; none of an address that was chosen at random.
    pub fn of_device(&mut self, mac: Mac) -> Option<&str> {
        let (file, length) = self.table.as_ref().filter(|_| !mac.is_local() && !mac.is_multicast())?;
        let vendor = self.known.entry(mac).or_insert_with(|| {
            let digits = format!("{:012x}", mac.to_u64());
            // The longest prefix counts: a block of 36, 28 or 24 bits.
            [9, 7, 6].iter().find_map(|length_of| look_up(file, *length, digits.get(..*length_of)?))
        });
        vendor.as_deref()
    }
}

/// The name behind a prefix, in lines that are sorted by their bytes.
fn look_up(file: &File, length: u64, prefix: &str) -> Option<String> {
    let key = format!("{prefix}\t");
    let (mut low, mut high) = (0, length);
    // `low` is the beginning of a line, and no line before it is the one; each turn leaves half of the rest, or less.
    while high.saturating_sub(low) > SMALL as u64 {
        let middle = low.midpoint(high);
        let mut piece = [0; 2 * LINE];
        let piece = read(file, middle, &mut piece)?;
        let next = piece.iter().take(LINE).position(|byte| *byte == b'\n')? + 1;
        let line = piece.get(next..)?;
        let begin = middle.saturating_add(next as u64);
        if begin >= high {
            high = middle;
            continue;
        }
        match line.get(..key.len()).unwrap_or(line).cmp(key.as_bytes()) {
            std::cmp::Ordering::Less => low = begin,
            std::cmp::Ordering::Equal => return name(line, &key),
            std::cmp::Ordering::Greater => high = begin,
        }
    }
    let mut piece = [0; SMALL + LINE];
    let piece = read(file, low, &mut piece)?;
    piece.split(|byte| *byte == b'\n').find_map(|line| name(line, &key))
}

fn read<'a>(file: &File, at: u64, into: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(more) => filled = filled.saturating_add(more),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    into.get(..filled)
}

/// The name in a line that begins with `key`.
fn name(line: &[u8], key: &str) -> Option<String> {
    let rest = line.strip_prefix(key.as_bytes())?;
    let name = std::str::from_utf8(rest.split(|byte| *byte == b'\n').next()?).ok()?;
    let fit = !name.is_empty() && name.len() <= NAME && !name.contains(char::is_control);
    fit.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/package/vendors.sample");

    /// A table with these bytes.
    fn table(name: &str, bytes: &[u8]) -> Vendors {
        let path = std::env::temp_dir().join(format!("glacic-vendors-{name}-{}", std::process::id()));
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let vendors = Vendors::of(File::open(&path).ok());
        std::fs::remove_file(path).unwrap();
        vendors
    }

    fn mac(digits: u64) -> Mac {
        Mac::from_u64(digits).unwrap()
    }

    /// A device with this prefix.
    fn with_prefix(prefix: &str) -> Mac {
        mac(u64::from_str_radix(&format!("{prefix:1<12}"), 16).unwrap())
    }

    #[test]
    fn every_line_of_a_table_is_found() {
        let text = std::fs::read_to_string(SAMPLE).unwrap();
        let mut vendors = Vendors::of(File::open(SAMPLE).ok());
        assert!(text.len() > 2 * SMALL, "long enough for a search");
        for line in text.lines() {
            let (prefix, name) = line.split_once('\t').unwrap();
            assert_eq!(vendors.of_device(with_prefix(prefix)), Some(name), "{prefix}");
        }
        assert_eq!(vendors.of_device(mac(0x0050_c200_0001)), None);
    }

    #[test]
    fn the_longest_prefix_counts_in_tables_of_any_length() {
        let filler = |n: u64| format!("{:06x}\tVendor {n}\n", n * 4096);
        for lines in [0, 1, 10, 50, 1000, 3900] {
            let mut all: Vec<String> = (64..64 + lines).map(filler).collect();
            all.extend(["f0a1b2\tLarge\n", "f0a1b2c\tMiddle\n", "f0a1b2cd3\tSmall\n"].map(str::to_owned));
            all.sort();
            let mut vendors = table("longest", all.concat().as_bytes());
            assert_eq!(vendors.of_device(mac(0xf0a1_b200_0000)), Some("Large"), "{lines}");
            assert_eq!(vendors.of_device(mac(0xf0a1_b2c0_0000)), Some("Middle"), "{lines}");
            assert_eq!(vendors.of_device(mac(0xf0a1_b2cd_3000)), Some("Small"), "{lines}");
            assert_eq!(vendors.of_device(mac(0xf4a1_b2cd_3000)), None, "{lines}");
            assert_eq!(vendors.of_device(mac(0x0000_0000_0001)), None, "{lines}");
            if lines > 0 {
                assert_eq!(vendors.of_device(mac((64 * 4096) << 24)), Some("Vendor 64"), "{lines}");
            }
        }
    }

    #[test]
    fn an_address_chosen_at_random_has_no_vendor() {
        let mut vendors = table("random", b"020000\tNobody\n030000\tNobody\n");
        assert_eq!(vendors.of_device(mac(0x0200_0000_0001)), None);
        assert_eq!(vendors.of_device(mac(0x0300_0000_0001)), None);
    }

    #[test]
    fn no_table_is_an_empty_one() {
        assert_eq!(Vendors::of(None).of_device(mac(1)), None);
        assert_eq!(Vendors::of(File::open("/").ok()).of_device(mac(1)), None);
        assert_eq!(Vendors::of(File::open("/dev/zero").ok()).of_device(mac(1)), None);
    }

    #[test]
    fn a_table_of_nonsense_names_nobody_and_ends() {
        let mut noise = 1u32;
        let mut random = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        let contents = [
            Vec::new(),
            vec![b'\n'; 100_000],
            vec![b'0'; 100_000],
            b"00163e".to_vec(),
            b"00163e\t\n".to_vec(),
            b"00163e\t\x1b[31m\n".to_vec(),
            b"00163e\t\xff\n".to_vec(),
            format!("00163e\t{}\n", "x".repeat(NAME + 1)).into_bytes(),
            (0..100_000).map(|_| random()).collect(),
            (0..100_000).map(|_| b"0123456789abcdef\t\n"[usize::from(random() % 18)]).collect(),
        ];
        for (number, bytes) in contents.iter().enumerate() {
            let mut vendors = table(&format!("nonsense{number}"), bytes);
            let named = vendors.of_device(mac(0x0016_3e00_0001)).map(str::to_owned);
            assert!(named.is_none_or(|name| !name.contains(char::is_control) && name.len() <= NAME), "{number}");
        }
    }
}
