// Clients that mean no good, and slow ones.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Service, Tenant, listening, plain, receiver, socketIoClient, until } from "./support.mjs";

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

test("whoever does not say who it is is closed after ten seconds", async () => {
  const started = Date.now();
  const silent = await plain(service);
  const raw = await plain(service);
  const { data } = await silent.heard.wait("error");
  assert.match(data.message, /in time/);
  assert.equal(await silent.closed, 1008);
  await raw.closed;
  const seconds = (Date.now() - started) / 1000;
  assert.ok(seconds > 8 && seconds < 20, `after ${seconds} s`);
});

test("frames that are not understood are told, and the connection closed", async () => {
  for (const frame of ["hello", "{}", "[]", '{"token":7}', Buffer.from([0, 1, 2])]) {
    const socket = await plain(service);
    socket.send(frame);
    const { data } = await socket.heard.wait("error");
    assert.match(data.message, /first frame/);
    await socket.closed;
  }
});

test("huge frames end the connection, and the service goes on", async () => {
  for (const bytes of [20_000, 100_000, 5_000_000]) {
    const socket = await plain(service);
    socket.send("x".repeat(bytes));
    await socket.closed;
  }
  const fine = await listening(service, tenant.token());
  fine.close();
});

test("a flood of frames ends the connection", async () => {
  const socket = await listening(service, tenant.token());
  for (let number = 0; number < 500; number += 1) socket.send('{"event":"ping"}');
  // With frames unread the system may reset the connection before the reason is out.
  assert.ok([1006, 1008].includes(await socket.closed));
  assert.ok(socket.heard.named("pong").length < 200);
});

test("many that say nothing keep nobody out", async () => {
  const many = await Promise.all(Array.from({ length: 500 }, () => plain(service)));
  const socket = await listening(service, tenant.token());
  const endpoint = await tenant.endpoint(application, places.answering(204));
  await socket.heard.wait("endpoint.created");
  await tenant.remove(application, endpoint);
  for (const one of [...many, socket]) one.terminate();
});

test("a slow reader is dropped and holds up nobody", async () => {
  const slow = await listening(service, tenant.token());
  const quick = await listening(service, tenant.token());
  const endpoint = await tenant.endpoint(application, places.answering(204));
  slow._socket.pause();
  const metadata = Object.fromEntries(Array.from({ length: 40 }, (_, number) => [`key${number}`, "x".repeat(90)]));
  let changes = 0;
  let slowest = 0;
  // Until what the system keeps for the slow one is full, and what the service keeps is, too.
  while (changes < 4000) {
    const started = Date.now();
    await Promise.all(
      [0, 1, 2, 3].map(async (lane) => {
        const change = { description: `${changes} ${lane} ${"d".repeat(4000)}`, metadata };
        await tenant.update(application, endpoint, change).catch((error) => assert.match(error.message, /409/));
      }),
    );
    changes += 4;
    slowest = Math.max(slowest, Date.now() - started);
  }
  await tenant.remove(application, endpoint);
  await quick.heard.wait("endpoint.deleted", ({ endpointId }) => endpointId === endpoint.id);
  assert.ok(quick.heard.named("endpoint.updated").length > 1000);
  assert.ok(slowest < 5000, `a change took ${slowest} ms`);
  slow._socket.resume();
  await slow.closed;
  assert.equal(slow.heard.named("endpoint.deleted").length, 0, "it was dropped before the end");
  quick.close();
});

test("a client of Socket.IO without a token is closed in time, and may try again", async () => {
  const socket = socketIoClient(service, "nobody", { reconnection: false });
  const error = await new Promise((resolve) => {
    socket.once("connect_error", resolve);
  });
  assert.equal(error.message, "The credential is not valid.");
  socket.auth = { token: tenant.token() };
  socket.connect();
  await until("the connection", () => socket.connected);
  socket.disconnect();
});
