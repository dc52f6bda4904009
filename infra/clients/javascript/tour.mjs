// The tour of the JavaScript library: node tour.mjs 2|1, by infra/clients/run.
import assert from "node:assert/strict";

import { applications } from "./application.mjs";
import { attempts } from "./attempt.mjs";
import { deliveries } from "./delivery.mjs";
import { endpoints } from "./endpoint.mjs";
import { eventTypes } from "./event_type.mjs";
import { failures } from "./failure.mjs";
import { Tour, noting, operations, setting, uncovered } from "./harness.mjs";
import { messages } from "./message.mjs";
import { portal } from "./portal.mjs";

// How the generations differ. Both are in use, and both must work.
const GENERATIONS = {
  1: { library: "svix-1", upsert: "update", setHeaders: "updateHeaders", types: "filterTypes", rate: "rateLimit" },
  2: { library: "svix", upsert: "upsert", setHeaders: "setHeaders", types: "eventTypes", rate: "throttleRate" },
};

const generation = GENERATIONS[process.argv[2]];
if (!generation) throw new Error("usage: tour.mjs 2|1");
const sdk = await import(generation.library);
const version = { 1: "1.99.1", 2: "2.5.0" }[process.argv[2]];
const called = new Set();

/** What the sections get. */
const scene = {
  sdk,
  generation,
  isFirst: process.argv[2] === "1",
  url: setting("TIDINGS_URL"),
  token: setting("TIDINGS_TOKEN"),
  client(token) {
    return noting(new sdk.Svix(token, { serverUrl: scene.url }), called);
  },
};
scene.svix = scene.client(scene.token);

const tour = new Tour(`javascript svix ${version}`);
await tour.step("health.get", () => scene.svix.health.get());
// Applications first: their section counts all that the organization has.
for (const section of [applications, eventTypes, endpoints, messages, attempts, deliveries, failures, portal]) {
  await tour.section(section.name, () => section(tour, scene));
}
await tour.step("every operation of the library was called, or is known to be absent", () => {
  const all = operations(new sdk.Svix("token", { serverUrl: scene.url }));
  assert.ok(all.length > 100, `only ${all.length} operations found`);
  assert.deepEqual(uncovered(all, called), []);
});
process.exit(tour.summary() ? 0 : 1);
