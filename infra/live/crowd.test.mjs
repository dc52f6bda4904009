// A thousand listeners at once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Service, Tenant, listening, receiver, socketIo, until } from "./support.mjs";

const LISTENERS = 1000;

let service, places, tenant, application;

before(async () => {
  service = await Service.start();
  places = await receiver();
  tenant = new Tenant(service);
  application = await tenant.application();
});

after(async () => {
  places.close();
  await service.stop();
});

test("a thousand connections at once all hear everything", async () => {
  const connecting = Array.from({ length: LISTENERS }, (_, number) =>
    number % 2 ? listening(service, tenant.token()) : socketIo(service, tenant.token()),
  );
  const sockets = await Promise.all(connecting);
  const endpoint = await tenant.endpoint(application, places.answering(204));
  const messages = [];
  for (let number = 0; number < 10; number += 1) messages.push((await tenant.send(application)).id);
  const started = Date.now();
  for (const { heard } of sockets) {
    await until("everything", () => heard.events.length >= 1 + messages.length);
  }
  console.log(`the last of ${LISTENERS} heard all ${1 + messages.length} events after ${Date.now() - started} ms`);
  for (const { heard } of sockets) {
    assert.equal(heard.named("endpoint.created")[0].data.endpoint.id, endpoint.id);
    const told = heard.named("webhook.delivered").map(({ data }) => data.messageId);
    assert.deepEqual(told.sort(), [...messages].sort());
  }
  // The service ends them all when it stops.
  const ends = sockets.map(
    (socket) => socket.closed ?? new Promise((resolve) => socket.once("disconnect", () => resolve(socket.disconnect()))),
  );
  const stopping = Date.now();
  assert.equal(await service.stop(), 0);
  await Promise.all(ends);
  assert.ok(Date.now() - stopping < 8000, `it took ${Date.now() - stopping} ms to stop`);
});
