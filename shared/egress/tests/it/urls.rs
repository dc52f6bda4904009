//! What is refused at registration, without DNS.

use tidings_egress::{Options, Refused};
use url::Url;

use crate::server::{egress_with, ip, net};

fn check(url: &str, allow: &[&str]) -> Result<(), Refused> {
    let options = Options { allow: allow.iter().copied().map(net).collect(), ..Options::default() };
    let url: Url = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    egress_with(options).check(&url)
}

#[test]
fn an_ordinary_url_passes() {
    for url in [
        "https://example.com/hook?x=1",
        "http://example.com:8080",
        "https://hooks.example.com./",
        "https://bücher.example/",
        "https://my_host.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:8443/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
    ] {
        assert_eq!(check(url, &[]), Ok(()), "{url}");
    }
}

#[test]
fn every_spelling_of_an_address_is_refused() {
    for (spelling, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0177.0x0.0.01", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("１２７。０。０。１", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("0xa9.254.43518", "169.254.169.254"),
        ("2852039166", "169.254.169.254"),
        ("[::1]", "::1"),
        ("[::]", "::"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[::ffff:a9fe:a9fe]", "::ffff:169.254.169.254"),
        ("[64:ff9b::10.0.0.1]", "64:ff9b::10.0.0.1"),
        ("[2002:7f00:1::]", "2002:7f00:1::"),
        ("[fd00:ec2::254]", "fd00:ec2::254"),
    ] {
        let refused = Err(Refused::Address(ip(address)));
        assert_eq!(check(&format!("http://{spelling}/"), &[]), refused, "{spelling}");
        assert_eq!(check(&format!("https://{spelling}:8443/x"), &[]), refused, "{spelling}");
    }
}

#[test]
fn an_allowed_address_passes_in_every_spelling() {
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"] {
        assert_eq!(check(&format!("http://{host}:8080/"), &["127.0.0.0/8"]), Ok(()), "{host}");
    }
}

#[test]
fn a_name_for_this_machine_is_refused_unless_loopback_is_allowed() {
    for host in ["localhost", "LOCALHOST", "localhost.", "a.b.localhost", "a.localhost.", "ｌocalhost"] {
        let url = format!("http://{host}:3000/");
        assert_eq!(check(&url, &[]), Err(Refused::LocalName), "{host}");
        assert_eq!(check(&url, &["10.0.0.0/8"]), Err(Refused::LocalName), "{host}");
        assert_eq!(check(&url, &["127.0.0.0/8", "::1/128"]), Ok(()), "{host}");
        assert_eq!(check(&url, &["::1/128"]), Ok(()), "{host}");
    }
}

#[test]
fn only_http_and_https_are_taken() {
    for url in ["ftp://example.com/", "file:///etc/passwd", "ws://example.com/", "data:text/plain,x", "mailto:a@b.c"] {
        assert_eq!(check(url, &[]), Err(Refused::Scheme), "{url}");
    }
}

#[test]
fn credentials_in_the_url_are_refused() {
    for url in ["https://user@example.com/", "https://user:secret@example.com/", "https://:secret@example.com/"] {
        assert_eq!(check(url, &[]), Err(Refused::Credentials), "{url}");
    }
}

#[test]
fn a_host_that_no_request_can_name_is_refused() {
    for url in ["http://./", "http://../", "http://ex{am}ple.com/", "http://ex\"ample.com/"] {
        assert_eq!(check(url, &[]), Err(Refused::NoHost), "{url}");
    }
}

#[test]
fn port_zero_is_refused() {
    assert_eq!(check("https://example.com:0/", &[]), Err(Refused::Port));
}
