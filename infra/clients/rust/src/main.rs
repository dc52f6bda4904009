//! The tour of the published Rust clients, `svix` and `standardwebhooks`, by `infra/clients/run`.

mod application;
mod attempt;
mod coverage;
mod delivery;
mod endpoint;
mod event_type;
mod failure;
mod message;
mod portal;
mod scene;
mod tour;

use std::process::ExitCode;

use crate::scene::{Scene, call};
use crate::tour::Tour;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut tour = Tour::new(&format!("rust svix {}", coverage::VERSION));
    let scene = Scene::from_env()?;
    tour.step("health.get", async { Ok(call!(scene.client, health.get())?) }).await;
    // Applications first: their section counts all that the organization has.
    let end = application::applications(&mut tour, &scene).await;
    tour.section("applications", end);
    let end = event_type::event_types(&mut tour, &scene).await;
    tour.section("event types", end);
    let end = endpoint::endpoints(&mut tour, &scene).await;
    tour.section("endpoints", end);
    let end = message::messages(&mut tour, &scene).await;
    tour.section("messages", end);
    let end = attempt::attempts(&mut tour, &scene).await;
    tour.section("attempts", end);
    delivery::deliveries(&mut tour, &scene).await;
    let end = failure::failures(&mut tour, &scene).await;
    tour.section("failures", end);
    let end = portal::portal(&mut tour, &scene).await;
    tour.section("portal", end);
    tour.step("every operation of the library was called, or is known to be absent", async {
        coverage::check(&scene.client.called())
    })
    .await;
    Ok(if tour.summary() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
