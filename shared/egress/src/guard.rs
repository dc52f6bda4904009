//! Which addresses and URLs an outbound request may name. Pure: no DNS, no clock, no sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::Authority;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Why a URL is not sent to. The text is fit for the one who gave the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something other than `http` or `https`.
    #[error("the scheme must be http or https")]
    Scheme,
    /// `user:password@`: it would be stored and shown in the clear, and sent along.
    #[error("a user name or password in the URL is not accepted")]
    Credentials,
    /// No host, or one that no HTTP request can name.
    #[error("the URL has no host that a request can be sent to")]
    NoHost,
    /// Port 0.
    #[error("port 0 cannot be connected to")]
    Port,
    /// An address, in the URL or out of DNS, that is neither public nor on the allow list.
    ///
    /// The text does not name it: told to whoever registers names, it would read out a private DNS zone.
    #[error("the host is not a public address")]
    Address(IpAddr),
    /// `localhost`, or a name below it.
    #[error("the host is a name for the local machine")]
    LocalName,
}

/// IPv4 networks that are not somebody's public web server (the IANA special-purpose registry, and multicast).
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),       // this network; 0.0.0.0 connects to the machine itself
    v4([10, 0, 0, 0], 8),      // private
    v4([100, 64, 0, 0], 10),   // carrier-grade NAT; some clouds keep their metadata here
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local, and with it 169.254.169.254, the metadata address
    v4([172, 16, 0, 0], 12),   // private
    v4([192, 0, 0, 0], 24),    // protocol assignments, DS-Lite, NAT64 discovery
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 88, 99, 0], 24),  // 6to4 relays, withdrawn
    v4([192, 168, 0, 0], 16),  // private
    v4([198, 18, 0, 0], 15),   // benchmarking
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 4),     // multicast
    v4([240, 0, 0, 0], 4),     // reserved, and with it 255.255.255.255, broadcast
];

/// The only IPv6 space that is handed out for public use. What lies outside (unspecified, loopback, compatible,
/// translated, NAT64, discard, unique local with `fd00:ec2::254`, link-local, site-local, multicast, and whatever is
/// defined tomorrow) needs no line of its own.
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 3);

/// Inside [`PUBLIC_V6`] and still not public.
///
/// Teredo, 6to4 and, outside, NAT64 carry an IPv4 address. They are refused with a public one inside, too: where
/// the translator sends it is decided by a network that the guard does not see, and no webhook lives
/// behind one that has not a plain IPv4 address as well. An operator who needs them puts the network on the allow list.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),     // protocol assignments: Teredo, benchmarking, ORCHID
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4
    v6(0x3fff, 0, 20),     // documentation
];

/// Whether a connection to `ip` may be opened: it is public, or a network on the allow list holds it.
///
/// An IPv4-mapped address (`::ffff:a.b.c.d`) reaches the IPv4 address on the wire and is judged as that one, by the
/// allow list too. No other embedding is looked into: all of them are refused unless the allow list holds the
/// IPv6 address itself.
pub fn verdict(ip: IpAddr, allow: &[IpNet]) -> Result<(), Refused> {
    let judged = ip.to_canonical();
    let allowed = allow.iter().any(|network| network.contains(&ip) || network.contains(&judged));
    if allowed || is_public(judged) { Ok(()) } else { Err(Refused::Address(ip)) }
}

/// Everything that a URL can be refused for without asking DNS.
pub(crate) fn check(url: &Url, allow: &[IpNet]) -> Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    match url.host().ok_or(Refused::NoHost)? {
        Host::Ipv4(ip) => verdict(ip.into(), allow)?,
        Host::Ipv6(ip) => verdict(ip.into(), allow)?,
        Host::Domain(name) => check_name(name, allow)?,
    }
    if url.port() == Some(0) {
        return Err(Refused::Port);
    }
    Ok(())
}

fn check_name(name: &str, allow: &[IpNet]) -> Result<(), Refused> {
    // The URL standard lets characters into a host that HTTP does not: found here, or at every attempt.
    let bare = name.trim_end_matches('.');
    if bare.is_empty() || name.parse::<Authority>().is_err() {
        return Err(Refused::NoHost);
    }
    // The `url` crate has put the name into lower case.
    let local = bare == "localhost" || bare.ends_with(".localhost");
    if local && !allows_loopback(allow) {
        return Err(Refused::LocalName);
    }
    Ok(())
}

fn allows_loopback(allow: &[IpNet]) -> bool {
    let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    allow.iter().any(|network| loopback.iter().any(|ip| network.contains(ip)))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&ip)),
        IpAddr::V6(ip) => PUBLIC_V6.contains(&ip) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&ip)),
    }
}

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}
