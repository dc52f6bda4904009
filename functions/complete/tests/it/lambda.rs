//! The real binary behind a Lambda Runtime API.

use serde_json::json;
use tidings_harness::Function;
use tidings_harness::events::{HttpAnswer, HttpRequest};

#[tokio::test]
async fn both_front_doors_reach_the_route() {
    let function = Function::new(env!("CARGO_BIN_EXE_complete")).env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true");
    let environment = function.start().await;
    let payload = json!({"jobId": "job_1", "data": [{"providerId": "gas", "data": [{"amount": 22.27}]}]});
    let request = HttpRequest::post("/complete", &payload);
    for event in [request.http_api(), request.rest_api()] {
        let answer = HttpAnswer::read(&environment.invoke(&event).await.unwrap()).unwrap();
        assert_eq!((answer.status, answer.json()), (200, json!({"message": payload})));
    }
    let answer = environment.invoke(&HttpRequest::post("/complete", &json!({})).http_api()).await.unwrap();
    assert_eq!(HttpAnswer::read(&answer).unwrap().status, 422);
}
