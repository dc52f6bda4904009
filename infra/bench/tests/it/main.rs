//! The benchmarks still run. What they measure is not looked at.

use bench::{Options, SECRET, cold_start, function, intake_path};

#[tokio::test]
async fn a_cold_start_is_measured() {
    let hello = function(env!("CARGO_BIN_EXE_hello").as_ref(), "http://127.0.0.1:9/");
    let times = cold_start::compare(&[hello.clone(), hello], 2).await.unwrap();
    assert_eq!(times.iter().map(bench::sample::Sample::len).collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test]
async fn the_handler_accepts_every_request_of_its_benchmark() {
    let options = Options { binaries: "unused".into(), rounds: 1, divisor: 1_000, server: None };
    let section = intake_path::handler(&options).await.unwrap();
    assert!(section.contains("| a job of 2 providers |"), "{section}");
    assert!(!section.contains(SECRET));
}
