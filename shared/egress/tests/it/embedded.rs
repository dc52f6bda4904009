//! Properties: a private IPv4 address stays private in whatever it is wrapped or however it is spelled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use tidings_egress::{Options, Refused, verdict};
use url::Url;

use crate::server::egress_with;

/// Networks that must never be reached, with their prefix lengths.
const PRIVATE: [([u8; 4], u32); 10] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

fn private() -> impl Strategy<Value = Ipv4Addr> {
    (prop::sample::select(PRIVATE.to_vec()), any::<u32>()).prop_map(|((network, prefix), host)| {
        let mask = u32::MAX >> prefix;
        Ipv4Addr::from_bits(u32::from_be_bytes(network) | (host & mask))
    })
}

/// Every way that is known of putting an IPv4 address into an IPv6 one under a well-known prefix; `noise` fills the rest.
fn embeddings(ip: Ipv4Addr, noise: u64) -> Vec<Ipv6Addr> {
    let v4 = u128::from(ip.to_bits());
    let noise = u128::from(noise);
    [
        (0xffff << 32) | v4,                                               // mapped
        v4,                                                                // compatible
        (0xffff << 48) | v4,                                               // translated (SIIT)
        (0x0064_ff9b << 96) | v4,                                          // NAT64
        (0x0064_ff9b_0001 << 80) | ((noise << 32) & ((1 << 80) - 1)) | v4, // NAT64, local use
        (0x2002 << 112) | (v4 << 80) | noise,                              // 6to4
        (0x2001 << 112) | (v4 << 64) | noise,                              // Teredo, its server
        (0x2001 << 112) | (noise << 32) | (v4 ^ 0xffff_ffff),              // Teredo, its client
    ]
    .map(Ipv6Addr::from_bits)
    .to_vec()
}

/// One number as a URL may spell it.
fn spell(number: u32, radix: u8, leading_zeros: usize) -> String {
    let zeros = "0".repeat(leading_zeros);
    match radix {
        8 => format!("0{zeros}{number:o}"),
        16 => format!("0x{zeros}{number:x}"),
        _ => number.to_string(),
    }
}

/// The address in one to four parts, each in its own radix.
fn spellings() -> impl Strategy<Value = (Ipv4Addr, String)> {
    let radices = prop::collection::vec((prop::sample::select(vec![8_u8, 10, 16]), 0_usize..4), 4);
    (private(), 1_usize..=4, radices, any::<bool>()).prop_map(|(ip, parts, radices, dot)| {
        let octets = ip.octets();
        let mut numbers: Vec<u32> = octets[..parts - 1].iter().copied().map(u32::from).collect();
        let rest_bits = 8 * (4 - (u32::try_from(parts).unwrap() - 1));
        numbers.push(ip.to_bits() & (u32::MAX >> (32 - rest_bits)));
        let spelled: Vec<String> =
            numbers.iter().zip(radices).map(|(number, (radix, zeros))| spell(*number, radix, zeros)).collect();
        (ip, spelled.join(".") + if dot { "." } else { "" })
    })
}

proptest! {
    #[test]
    fn no_private_ipv4_address_passes_however_embedded(ip in private(), noise: u64) {
        prop_assert_eq!(verdict(ip.into(), &[]), Err(Refused::Address(ip.into())));
        for v6 in embeddings(ip, noise) {
            prop_assert_eq!(verdict(v6.into(), &[]), Err(Refused::Address(v6.into())));
        }
    }

    #[test]
    fn no_private_ipv4_address_passes_however_spelled((ip, host) in spellings()) {
        let url: Url = format!("http://{host}/").parse().unwrap();
        let egress = egress_with(Options::default());
        prop_assert_eq!(egress.check(&url), Err(Refused::Address(ip.into())));
    }

    #[test]
    fn an_allowed_address_passes_and_its_neighbour_does_not(ip in private()) {
        let allow = [IpAddr::from(ip).into()];
        let neighbour = Ipv4Addr::from_bits(ip.to_bits() ^ 1);
        prop_assert_eq!(verdict(ip.into(), &allow), Ok(()));
        prop_assert_eq!(verdict(ip.to_ipv6_mapped().into(), &allow), Ok(()));
        prop_assert!(verdict(neighbour.into(), &allow).is_err());
        prop_assert!(verdict(neighbour.to_ipv6_mapped().into(), &allow).is_err());
    }
}
