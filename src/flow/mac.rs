use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Unreadable;

/// A device's hardware address (EUI-48). LAN hosts choose it freely: it names a device, it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// A group address (the I/G bit, IEEE 802 section 8.2.2): never a device.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// A locally administered address (the U/L bit): phones that randomise their address use these.
    pub const fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// The address as a 48-bit number, for compact storage.
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The inverse of [`Mac::to_u64`]; `None` above 48 bits.
    pub const fn from_u64(number: u64) -> Option<Mac> {
        match number.to_be_bytes() {
            [0, 0, a, b, c, d, e, f] => Some(Mac([a, b, c, d, e, f])),
            _ => None,
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Mac {
    type Err = Unreadable;

    /// Six pairs of hexadecimal digits, separated by `:` or by `-`.
    fn from_str(text: &str) -> Result<Mac, Unreadable> {
        const EXPECTED: Unreadable = Unreadable { expected: "a MAC address such as b8:27:eb:00:00:01" };
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut parts = text.split(separator);
        for octet in &mut octets {
            let part = parts.next().ok_or(EXPECTED)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(EXPECTED);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| EXPECTED)?;
        }
        if parts.next().is_some() {
            return Err(EXPECTED);
        }
        Ok(Mac(octets))
    }
}

impl TryFrom<String> for Mac {
    type Error = Unreadable;
    fn try_from(text: String) -> Result<Mac, Unreadable> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["b8:27:eb:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"] {
            assert_eq!(text.parse::<Mac>().unwrap().to_string(), text);
        }
        assert_eq!("B8-27-EB-00-00-01".parse::<Mac>().unwrap().to_string(), "b8:27:eb:00:00:01");
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in
            ["", "b8:27:eb:00:00", "b8:27:eb:00:00:01:02", "b8:27:eb:00:00:0g", "+8:27:eb:00:00:01", "b827eb000001"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_48_bits() {
        let mac = Mac([0xb8, 0x27, 0xeb, 0, 0, 1]);
        assert_eq!(mac.to_u64(), 0xb827_eb00_0001);
        assert_eq!(Mac::from_u64(mac.to_u64()), Some(mac));
        assert_eq!(Mac::from_u64(1 << 48), None);
    }

    #[test]
    fn knows_group_and_local_addresses() {
        assert!(Mac([1, 0, 0x5e, 0, 0, 1]).is_multicast());
        assert!(Mac([0x02, 0, 0, 0, 0, 1]).is_local());
        assert!(!Mac([0xb8, 0x27, 0xeb, 0, 0, 1]).is_local());
    }
}
