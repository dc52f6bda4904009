//! The table of addresses.

use tidings_egress::{Refused, verdict};

use crate::server::{ip, net};

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "52.94.76.1",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a05:d018::1",
    // Mapped: the IPv4 address is what is connected to.
    "::ffff:8.8.8.8",
];

const REFUSED: &[(&str, &str)] = &[
    ("unspecified", "0.0.0.0"),
    ("this network", "0.1.2.3"),
    ("private", "10.0.0.0"),
    ("private", "10.255.255.255"),
    ("private", "172.16.0.0"),
    ("private", "172.31.255.255"),
    ("private", "192.168.0.0"),
    ("private", "192.168.255.255"),
    ("carrier-grade NAT", "100.64.0.0"),
    ("carrier-grade NAT", "100.127.255.255"),
    ("metadata of other clouds", "100.100.100.200"),
    ("loopback", "127.0.0.1"),
    ("loopback", "127.255.255.255"),
    ("link-local", "169.254.0.1"),
    ("metadata", "169.254.169.254"),
    ("container metadata", "169.254.170.2"),
    ("protocol assignments", "192.0.0.170"),
    ("documentation", "192.0.2.1"),
    ("documentation", "198.51.100.1"),
    ("documentation", "203.0.113.1"),
    ("6to4 relay", "192.88.99.1"),
    ("benchmarking", "198.18.0.0"),
    ("benchmarking", "198.19.255.255"),
    ("multicast", "224.0.0.1"),
    ("multicast", "239.255.255.255"),
    ("reserved", "240.0.0.1"),
    ("broadcast", "255.255.255.255"),
    ("unspecified", "::"),
    ("loopback", "::1"),
    ("mapped private", "::ffff:10.0.0.1"),
    ("mapped loopback", "::ffff:7f00:1"),
    ("mapped metadata", "::ffff:169.254.169.254"),
    ("compatible private", "::10.0.0.1"),
    ("compatible public", "::8.8.8.8"),
    ("translated private", "::ffff:0:10.0.0.1"),
    ("NAT64 private", "64:ff9b::10.0.0.1"),
    ("NAT64 public", "64:ff9b::8.8.8.8"),
    ("NAT64 metadata", "64:ff9b::a9fe:a9fe"),
    ("local NAT64", "64:ff9b:1::10.0.0.1"),
    ("local NAT64", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("discard", "100::1"),
    ("Teredo", "2001::1"),
    ("Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ("benchmarking", "2001:2::1"),
    ("ORCHID", "2001:20::1"),
    ("documentation", "2001:db8::1"),
    ("documentation", "3fff::1"),
    ("6to4 private", "2002:a00:1::1"),
    ("6to4 public", "2002:808:808::1"),
    ("not handed out", "4000::1"),
    ("segment routing", "5f00::1"),
    ("unique local", "fc00::1"),
    ("metadata", "fd00:ec2::254"),
    ("link-local", "fe80::1"),
    ("link-local", "febf::1"),
    ("site-local", "fec0::1"),
    ("multicast", "ff02::1"),
];

#[test]
fn a_public_address_passes() {
    for text in PUBLIC {
        assert_eq!(verdict(ip(text), &[]), Ok(()), "{text}");
    }
}

#[test]
fn an_address_that_is_not_public_is_refused() {
    for (what, text) in REFUSED {
        assert_eq!(verdict(ip(text), &[]), Err(Refused::Address(ip(text))), "{what} {text}");
    }
}

#[test]
fn the_allow_list_lets_its_networks_through_and_no_others() {
    let allow = [net("10.1.0.0/16"), net("fd12::/16")];
    for allowed in ["10.1.0.1", "::ffff:10.1.0.1", "fd12::1", "8.8.8.8"] {
        assert_eq!(verdict(ip(allowed), &allow), Ok(()), "{allowed}");
    }
    for refused in ["10.2.0.1", "::ffff:10.2.0.1", "64:ff9b::10.1.0.1", "2002:a01:1::1", "::10.1.0.1", "fd13::1"] {
        assert_eq!(verdict(ip(refused), &allow), Err(Refused::Address(ip(refused))), "{refused}");
    }
}

#[test]
fn the_allow_list_can_open_a_translators_network() {
    assert_eq!(verdict(ip("64:ff9b::8.8.8.8"), &[net("64:ff9b::/96")]), Ok(()));
}

#[test]
fn the_text_of_a_refusal_does_not_name_the_address() {
    let refused = verdict(ip("10.1.2.3"), &[]).unwrap_err();
    assert_eq!(refused.to_string(), "the host is not a public address");
}
