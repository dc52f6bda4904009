// A plain WebSocket.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LEEWAY_S, Service, Tenant, listening, plain, receiver } from "./support.mjs";

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

test("a token in the first frame is enough to hear all that happens", async () => {
  const socket = await listening(service, tenant.token());
  const good = await tenant.endpoint(application, places.answering(200));
  const bad = await tenant.endpoint(application, places.answering(500));
  const message = await tenant.send(application);
  const delivered = await socket.heard.wait("webhook.delivered");
  assert.deepEqual([delivered.data.messageId, delivered.data.endpointId], [message.id, good.id]);
  const failed = await socket.heard.wait("webhook.failed");
  assert.deepEqual([failed.data.endpointId, failed.data.error], [bad.id, "answered 500"]);
  await tenant.update(application, good, { description: "changed" });
  await socket.heard.wait("endpoint.updated", ({ endpoint }) => endpoint.description === "changed");
  for (const endpoint of [good, bad]) await tenant.remove(application, endpoint);
  await socket.heard.wait("endpoint.deleted", ({ endpointId }) => endpointId === bad.id);
  socket.close();
});

test("a token beside the sub-protocol is enough, too", async () => {
  const socket = await plain(service, ["tidings", tenant.token()]);
  assert.equal(socket.protocol, "tidings");
  await socket.heard.wait("connected");
  const endpoint = await tenant.endpoint(application, places.answering(200));
  await socket.heard.wait("endpoint.created", (data) => data.endpoint.id === endpoint.id);
  await tenant.remove(application, endpoint);
  socket.close();
});

test("a wrong token beside the sub-protocol is refused at the handshake", async () => {
  await assert.rejects(plain(service, ["tidings", "nobody"]), /401/);
});

test("a wrong or expired token is told, and the connection closed", async () => {
  for (const wrong of ["nobody", tenant.token({ exp: now() - LEEWAY_S - 1 }), `${tenant.token()}x`]) {
    const socket = await plain(service);
    socket.send(JSON.stringify({ token: wrong }));
    const { data } = await socket.heard.wait("error");
    assert.equal(data.message, "The credential is not valid.");
    await socket.closed;
  }
});

test("a connection ends with its token, unless another one came", async () => {
  const short = () => tenant.token({ exp: now() - LEEWAY_S + 3 });
  const ending = await listening(service, short());
  const staying = await listening(service, short());
  staying.send(JSON.stringify({ token: tenant.token() }));
  const { data } = await ending.heard.wait("error");
  assert.equal(data.message, "The credential is not valid any more.");
  assert.equal(await ending.closed, 1008);
  const endpoint = await tenant.endpoint(application, places.answering(200));
  await staying.heard.wait("endpoint.created", (told) => told.endpoint.id === endpoint.id);
  await tenant.remove(application, endpoint);
  staying.close();
});

test("a ping is answered", async () => {
  const socket = await listening(service, tenant.token());
  socket.send(JSON.stringify({ event: "ping" }));
  await socket.heard.wait("pong");
  socket.close();
});
