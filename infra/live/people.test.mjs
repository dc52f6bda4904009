// Who hears what.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Service, Tenant, listening, receiver, socketIo, token, until } from "./support.mjs";

let service, places;

before(async () => {
  service = await Service.start();
  places = await receiver();
});

after(async () => {
  places.close();
  await service.stop();
});

test("everybody hears what is theirs, and nothing else", async () => {
  const tenant = new Tenant(service);
  const stranger = new Tenant(service);
  const acme = await tenant.application("acme");
  const other = await tenant.application("other");
  const elsewhere = await stranger.application("acme");
  const application = (of, id) => token(id, { org: of.organization, role: undefined });
  const member = (of, organizations) => of.token({ role: "user", organizations });
  const people = {
    admin: [await socketIo(service, tenant.token()), [acme, other]],
    member: [await socketIo(service, member(tenant, ["acme"])), [acme]],
    "member of none": [await socketIo(service, member(tenant, [])), []],
    portal: [await listening(service, application(tenant, acme.id)), [acme]],
    "another portal": [await listening(service, application(tenant, other.id)), [other]],
    stranger: [await socketIo(service, stranger.token()), [elsewhere]],
    "member of the stranger's": [await listening(service, member(stranger, ["acme"])), [elsewhere]],
  };
  const made = new Map();
  for (const [owner, app] of [[tenant, acme], [tenant, other], [stranger, elsewhere]]) {
    const endpoint = await owner.endpoint(app, places.answering(204));
    const message = await owner.send(app);
    made.set(app, [endpoint.id, message.id]);
  }
  // The last to come, at whoever hears it, comes after everything else was told.
  for (const [name, [socket, applications]] of Object.entries(people)) {
    for (const app of applications) {
      const [endpointId, messageId] = made.get(app);
      await socket.heard.wait("endpoint.created", ({ endpoint }) => endpoint.id === endpointId);
      await socket.heard.wait("webhook.delivered", (data) => data.messageId === messageId);
    }
    await until(`${name} to have heard everything`, () => socket.heard.named("webhook.delivered").length >= applications.length);
  }
  // Told to all at the same time, so whoever was to hear more has.
  for (const [name, [socket, applications]] of Object.entries(people)) {
    const endpoints = socket.heard.named("endpoint.created").map(({ data }) => data.endpoint.id);
    assert.deepEqual(endpoints.sort(), applications.map((app) => made.get(app)[0]).sort(), name);
    const messages = socket.heard.named("webhook.delivered").map(({ data }) => data.messageId);
    assert.deepEqual(messages.sort(), applications.map((app) => made.get(app)[1]).sort(), name);
    socket.disconnect?.();
    socket.close?.();
  }
});

test("an API key that was revoked hears nothing more", async () => {
  const tenant = new Tenant(service);
  const application = await tenant.application();
  const key = await tenant.call("POST", "/api/v1/api-key", { description: "live", role: "admin" });
  const socket = await listening(service, key.key);
  const heard = await tenant.endpoint(application, places.answering(204));
  await socket.heard.wait("endpoint.created", ({ endpoint }) => endpoint.id === heard.id);
  await tenant.call("DELETE", `/api/v1/api-key/${key.id}`);
  // It is looked up again within five seconds; each change asks.
  const closed = socket.closed.then(() => true);
  await until("the end", async () => {
    const endpoint = await tenant.endpoint(application, places.answering(204));
    await tenant.remove(application, endpoint);
    return Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500, false))]);
  });
  assert.equal(socket.heard.named("error").length, 1);
});
