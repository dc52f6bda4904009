//! Callback URLs that are refused when they are registered. The guard's own tests have every network; these are about
//! the way to it.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Service, post, shown};

async fn answer(service: &Service, url: &str) -> String {
    let body = json!({"providers": ["gas"], "callbackUrl": url});
    shown(service.send(post().body(body.to_string().into()).unwrap()).await).await
}

/// What is wrong with each, grouped by what is said.
async fn refusals(urls: &[&str]) -> String {
    let service = Service::start().await;
    let mut said = BTreeMap::<String, Vec<String>>::new();
    for url in urls {
        let answer = answer(&service, url).await;
        let (status, body) = answer.split_once('\n').unwrap();
        assert_eq!(status, "422 Unprocessable Entity", "{url}: {answer}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["detail"].as_array().unwrap().len(), 1, "{url}: {body}");
        assert_eq!(body["detail"][0]["loc"], json!(["body", "callbackUrl"]), "{url}");
        let why = format!("{}: {}", body["detail"][0]["type"].as_str().unwrap(), body["detail"][0]["msg"]);
        said.entry(why).or_default().push(format!("  {}", url.chars().take(60).collect::<String>()));
    }
    assert_eq!(service.written().await, "", "something was written");
    let groups = said.into_iter().map(|(why, urls)| [vec![why], urls].concat().join("\n"));
    groups.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_is_no_http_url_is_422() {
    let long = format!("https://example.com/{}", "a".repeat(4096));
    assert_snapshot!(refusals(&[
        "",
        " ",
        "complete",
        "/complete",
        "//example.com/complete",
        "example.com/complete",
        "https://",
        "https://ex ample.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://1.2.3.4.5/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,x",
        "https://example.com:0/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "http://ex{am}ple.com/",
        &long,
    ])
    .await, @r#"
    value_error: "a user name or password in the URL is not accepted"
      https://user@example.com/
      https://user:password@example.com/
    value_error: "must be an absolute URL"
      
       
      complete
      /complete
      //example.com/complete
      example.com/complete
      https://
      https://ex ample.com/
      https://example.com:99999/
      https://[::1/
      https://1.2.3.4.5/
    value_error: "must be at most 4096 bytes long"
      https://example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    value_error: "must start with http:// or https://"
      ftp://example.com/
      file:///etc/passwd
      javascript:alert(1)
      data:text/plain,x
    value_error: "port 0 cannot be connected to"
      https://example.com:0/
    value_error: "the URL has no host that a request can be sent to"
      http://ex{am}ple.com/
    "#);
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling() {
    assert_snapshot!(refusals(&[
        "http://127.0.0.1/",
        "https://127.0.0.1:8443/complete",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://%31%32%37.0.0.1/",
        "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "http://\u{2460}\u{2461}\u{2466}.0.0.1/",
        "http:127.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "HTTP://127.0.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9.254.43518/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://[ff02::1]/",
        "http://localhost/",
        "http://LOCALHOST:3000/",
        "http://localhost./",
        "http://app.localhost/",
        "http://\u{ff4c}ocalhost/",
    ])
    .await, @r#"
    value_error: "the host is a name for the local machine"
      http://localhost/
      http://LOCALHOST:3000/
      http://localhost./
      http://app.localhost/
      http://ｌocalhost/
    value_error: "the host is not a public address"
      http://127.0.0.1/
      https://127.0.0.1:8443/complete
      http://127.1/
      http://2130706433/
      http://0x7f000001/
      http://0x7f.1/
      http://0177.0.0.1/
      http://017700000001/
      http://127.0.0.1./
      http://%31%32%37.0.0.1/
      http://１２７.0.0.1/
      http://①②⑦.0.0.1/
      http:127.0.0.1/
      http:\\127.0.0.1\
      HTTP://127.0.0.1/
      http://0/
      http://0.0.0.0/
      http://10.0.0.1/
      http://172.16.0.1/
      http://192.168.1.1/
      http://100.64.0.1/
      http://169.254.169.254/latest/meta-data/
      http://2852039166/
      http://0xa9.254.43518/
      http://224.0.0.1/
      http://255.255.255.255/
      http://[::1]/
      http://[::]/
      http://[0:0:0:0:0:0:0:1]/
      http://[::ffff:127.0.0.1]/
      http://[::ffff:a9fe:a9fe]/
      http://[64:ff9b::10.0.0.1]/
      http://[2002:7f00:1::]/
      http://[fd00:ec2::254]/
      http://[fe80::1]/
      http://[ff02::1]/
    "#);
}

#[tokio::test]
async fn a_public_url_is_kept_as_the_standard_writes_it() {
    let service = Service::start().await;
    for url in [
        "https://example.com",
        "http://8.8.8.8:8080/x?y=z",
        "https://b\u{fc}cher.example/",
        "https://[2606:4700:4700::1111]/",
    ] {
        assert!(answer(&service, url).await.starts_with("201"), "{url}");
    }
    let table = service.written().await;
    for stored in ["https://example.com/", "https://xn--bcher-kva.example/"] {
        assert!(table.contains(&format!("callback_url={stored}\n")), "{table}");
    }
}

#[tokio::test]
async fn a_network_that_is_allowed_is_taken_and_no_other() {
    let service = Service::with(&[("EGRESS_ALLOW", "10.1.0.0/16")]).await;
    assert!(answer(&service, "http://10.1.2.3/").await.starts_with("201"));
    for refused in ["http://10.2.0.1/", "http://127.0.0.1/", "http://localhost/"] {
        assert!(answer(&service, refused).await.starts_with("422"), "{refused}");
    }
}
