// The service stops, or is killed, and comes back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Service, Tenant, listening, receiver, socketIo, until } from "./support.mjs";

let service, places, tenant;

before(async () => {
  service = await Service.start();
  places = await receiver();
  tenant = new Tenant(service);
});

after(async () => {
  places.close();
  await service.stop();
});

test("a stop closes connections, and clients of Socket.IO come back to the next process", async () => {
  const io = await socketIo(service, () => tenant.token());
  const plain = await listening(service, tenant.token());
  assert.equal(await service.stop(), 0);
  assert.equal(await plain.closed, 1001);
  await until("the break", () => !io.connected);
  await service.restart();
  await until("the new connection", () => io.connected);
  const application = await tenant.application();
  await tenant.endpoint(application, places.answering(204));
  await io.heard.wait("endpoint.created");
  io.disconnect();
});

test("after a kill, too", async () => {
  const io = await socketIo(service, () => tenant.token());
  await service.stop("SIGKILL");
  await until("the break", () => !io.connected);
  await service.restart();
  await until("the new connection", () => io.connected);
  const application = await tenant.application();
  await tenant.endpoint(application, places.answering(204));
  await io.heard.wait("endpoint.created");
  io.disconnect();
});
