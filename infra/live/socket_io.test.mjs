// The published client of Socket.IO.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LEEWAY_S, Service, Tenant, receiver, socketIo, socketIoClient, token, until } from "./support.mjs";

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

const now = () => Math.floor(Date.now() / 1000);

/** What a client is told that may not enter. */
async function refused(auth, options) {
  const socket = socketIoClient(service, auth, { reconnection: false, ...options });
  try {
    return await new Promise((resolve, reject) => {
      socket.once("connect_error", resolve);
      socket.once("connect", () => reject(new Error("it was let in")));
    });
  } finally {
    socket.disconnect();
  }
}

test("an endpoint that is made, changed and deleted is told as the API shows it", async () => {
  const socket = await socketIo(service, tenant.token());
  const made = await tenant.endpoint(application, places.answering(204), { description: "first" });
  const created = await socket.heard.wait("endpoint.created", ({ endpoint }) => endpoint.id === made.id);
  assert.deepEqual(created.data.endpoint, made);
  assert.equal(created.data.timestamp, made.createdAt);

  const changed = await tenant.update(application, made, { description: "second" });
  const updated = await socket.heard.wait("endpoint.updated", ({ endpoint }) => endpoint.id === made.id);
  assert.deepEqual(updated.data.endpoint, changed);

  await tenant.remove(application, made);
  const deleted = await socket.heard.wait("endpoint.deleted", ({ endpointId }) => endpointId === made.id);
  assert.ok(Date.parse(deleted.data.timestamp) >= Date.parse(changed.updatedAt));
  assert.deepEqual(Object.keys(deleted.data).sort(), ["endpointId", "timestamp"]);
  const names = socket.heard.events.map(({ event }) => event);
  assert.deepEqual(names, ["endpoint.created", "endpoint.updated", "endpoint.deleted"]);
  socket.disconnect();
});

test("a delivery is told, and each failed attempt", async () => {
  const socket = await socketIo(service, tenant.token());
  const good = await tenant.endpoint(application, places.answering(204));
  const bad = await tenant.endpoint(application, places.answering(503));
  const message = await tenant.send(application);
  const delivered = await socket.heard.wait("webhook.delivered");
  const { timestamp, ...said } = delivered.data;
  assert.deepEqual(said, { messageId: message.id, endpointId: good.id, status: 204 });
  assert.ok(Date.parse(timestamp) >= Date.parse(message.timestamp));
  // The schedule has one retry.
  await until("both failures", () => socket.heard.named("webhook.failed").length === 2);
  for (const { data } of socket.heard.named("webhook.failed")) {
    assert.deepEqual([data.messageId, data.endpointId, data.error], [message.id, bad.id, "answered 503"]);
  }
  assert.equal(socket.heard.named("endpoint.updated").length, 0, "its health is no change");
  for (const endpoint of [good, bad]) await tenant.remove(application, endpoint);
  socket.disconnect();
});

test("a connection that breaks is made again, and hears again", async () => {
  const socket = await socketIo(service, () => tenant.token());
  socket.io.engine.close();
  await until("the break", () => !socket.connected);
  await until("the new connection", () => socket.connected);
  const endpoint = await tenant.endpoint(application, places.answering(204));
  await socket.heard.wait("endpoint.created", ({ endpoint: { id } }) => id === endpoint.id);
  await tenant.remove(application, endpoint);
  socket.disconnect();
});

test("a client that leaves and comes back is a new listener", async () => {
  const socket = await socketIo(service, tenant.token());
  socket.disconnect();
  const missed = await tenant.endpoint(application, places.answering(204));
  socket.connect();
  await until("the connection", () => socket.connected);
  await tenant.remove(application, missed);
  await socket.heard.wait("endpoint.deleted");
  assert.equal(socket.heard.named("endpoint.created").length, 0, "what was missed is not told");
  socket.disconnect();
});

test("a wrong, a missing and an expired token are refused with a reason", async () => {
  const expired = tenant.token({ exp: now() - LEEWAY_S - 1 });
  for (const auth of ["nobody", undefined, "", expired, `${tenant.token()}x`, token("org_nobody")]) {
    const error = await refused(auth);
    assert.equal(error.message, "The credential is not valid.");
  }
});

test("a connection ends with its token, and is refused until there is a new one", async () => {
  const short = () => tenant.token({ exp: now() - LEEWAY_S + 3 });
  const tokens = [short(), "nobody"];
  const socket = await socketIo(service, () => tokens[0]);
  tokens.shift();
  const error = await new Promise((resolve) => {
    socket.once("connect_error", resolve);
  });
  assert.equal(error.message, "The credential is not valid.");
  assert.equal(socket.connected, false);
  tokens[0] = tenant.token();
  socket.connect();
  await until("the connection", () => socket.connected);
  socket.disconnect();
});

test("another namespace is refused", async () => {
  const socket = await socketIo(service, tenant.token());
  const other = socket.io.socket("/admin", { auth: { token: tenant.token() } });
  const error = await new Promise((resolve) => {
    other.once("connect_error", resolve);
    other.connect();
  });
  assert.equal(error.message, "Invalid namespace");
  assert.equal(socket.connected, true);
  socket.disconnect();
});

test("what a client sends harms nothing", async () => {
  const socket = await socketIo(service, tenant.token());
  socket.emit("hello", { a: 1 });
  socket.emit("binary", Buffer.from([1, 2, 3]));
  socket.emit("acknowledged", () => {});
  const endpoint = await tenant.endpoint(application, places.answering(204));
  await socket.heard.wait("endpoint.created");
  assert.equal(socket.connected, true);
  await tenant.remove(application, endpoint);
  socket.disconnect();
});

test("polling is answered with what to do", async () => {
  const response = await fetch(`${service.url}/api/webhook-socket.io/?EIO=4&transport=polling`);
  assert.equal(response.status, 400);
  assert.match((await response.json()).detail, /transports: \["websocket"\]/);
  const old = await fetch(`${service.url}/api/webhook-socket.io/?EIO=3&transport=websocket`);
  assert.equal(old.status, 400);
  assert.match((await old.json()).detail, /EIO=4/);
  await refused(tenant.token(), { transports: ["polling"] });
});
