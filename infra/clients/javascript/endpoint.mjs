// Endpoints: what they are, their headers and secrets.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { EXAMPLE } from "./event_type.mjs";
import { Inbox, pages, refused } from "./harness.mjs";

export const secret = () => `whsec_${randomBytes(24).toString("base64")}`;

export async function endpoints(tour, scene) {
  const { svix, sdk, generation } = scene;
  const { types, rate, upsert } = generation;
  const { id: app } = await svix.application.create({ name: "Endpoints" });
  const inbox = new Inbox();
  const key = secret();

  const made = await svix.endpoint.create(app, {
    url: inbox.url,
    uid: "main",
    description: "The main one",
    [types]: ["order.placed", "order.sent"],
    channels: ["north"],
    metadata: { team: "a" },
    [rate]: 100,
    secret: key,
  });
  await tour.step("endpoint.create answers what was made", () => {
    assert.match(made.id, /^ep_[0-9A-Za-z]{27}$/);
    assert.equal(made.url, inbox.url);
    assert.equal(made.uid, "main");
    assert.equal(made.description, "The main one");
    assert.deepEqual([...made[types]].sort(), ["order.placed", "order.sent"]);
    assert.deepEqual(made.channels, ["north"]);
    assert.deepEqual(made.metadata, { team: "a" });
    assert.equal(made[rate], 100);
    assert.equal(made.disabled ?? false, false);
    if (scene.isFirst) assert.equal(made.version, 1);
  });
  await tour.step("endpoint.create with a taken uid: 409 conflict", () =>
    refused(sdk, 409, "conflict", () => svix.endpoint.create(app, { url: inbox.url, uid: "main" })),
  );
  await tour.step("endpoint.create with a URL that is none: 422", () =>
    refused(sdk, 422, null, () => svix.endpoint.create(app, { url: "ftp://127.0.0.1/" })),
  );
  await tour.step("endpoint.get by id and by uid", async () => {
    assert.deepEqual(await svix.endpoint.get(app, made.id), made);
    assert.deepEqual(await svix.endpoint.get(app, "main"), made);
    await refused(sdk, 404, "not_found", () => svix.endpoint.get(app, "other"));
  });
  await tour.step(`endpoint.${upsert} creates, then updates`, async () => {
    const created = await svix.endpoint[upsert](app, "put", { url: inbox.url, uid: "put" });
    const again = { url: `${inbox.url}-put`, uid: "put", description: "Again", disabled: true };
    const updated = await svix.endpoint[upsert](app, "put", again);
    assert.equal(updated.id, created.id);
    assert.equal(updated.url, again.url);
    assert.equal(updated.disabled, true);
    assert.equal(updated.description, "Again");
  });
  await tour.step("endpoint.patch changes what it names and leaves the rest", async () => {
    const patched = await svix.endpoint.patch(app, made.id, { description: "Changed", [types]: null });
    assert.equal(patched.description, "Changed");
    assert.equal(patched[types] ?? null, null);
    assert.deepEqual(patched.channels, ["north"]);
    const open = await svix.endpoint.patch(app, made.id, { channels: null, [rate]: null });
    assert.equal(open.channels ?? null, null);
    assert.equal(open[rate] ?? null, null);
    assert.equal(open.description, "Changed");
  });
  await tour.step("endpoint.list pages in both orders", async () => {
    await svix.endpoint.create(app, { url: inbox.url });
    const all = await pages((iterator) => svix.endpoint.list(app, { limit: 1, iterator }));
    const ids = all.map(({ id }) => id);
    assert.equal(ids.length, 3);
    assert.deepEqual(ids, [...ids].sort());
    const order = sdk.Ordering?.Descending ?? "descending";
    const down = await pages((iterator) => svix.endpoint.list(app, { limit: 2, iterator, order }));
    assert.deepEqual(
      down.map(({ id }) => id),
      [...ids].reverse(),
    );
  });
  await headers(tour, scene, app, made.id);
  await secrets(tour, scene, app, made.id, key);
  await tour.step("endpoint.sendExample sends an example of the event type's schema, or a ping", async () => {
    // svix.ping is always there.
    const ping = await svix.endpoint.sendExample(app, made.id, { eventType: "svix.ping" });
    assert.match(ping.id, /^msg_/);
    const sent = await svix.endpoint.sendExample(app, made.id, { eventType: "tour.order-placed" });
    const seen = await inbox.wait(2);
    const delivery = seen.find((one) => one.headers["webhook-id"] === sent.id);
    assert.deepEqual(JSON.parse(delivery.body), EXAMPLE);
    new sdk.Webhook((await svix.endpoint.getSecret(app, made.id)).key).verify(delivery.body, delivery.headers);
  });
  await tour.step("endpoint.getStats of an endpoint that was sent nothing", async () => {
    const idle = await svix.endpoint.create(app, { url: inbox.url });
    const stats = await svix.endpoint.getStats(app, idle.id, {
      since: new Date(Date.now() - 3_600_000),
      until: new Date(),
    });
    const { success, pending, sending, fail } = stats;
    assert.deepEqual({ success, pending, sending, fail }, { success: 0, pending: 0, sending: 0, fail: 0 });
  });
  await tour.step("endpoint.delete; then 404 not_found", async () => {
    await svix.endpoint.delete(app, "put");
    await refused(sdk, 404, "not_found", () => svix.endpoint.get(app, "put"));
    await refused(sdk, 404, "not_found", () => svix.endpoint.delete(app, "put"));
  });
}

async function headers(tour, { svix, sdk, generation, isFirst }, app, endpoint) {
  const { setHeaders } = generation;
  const named = (given, name) => Object.entries(given).find(([key]) => key.toLowerCase() === name)?.[1];
  await tour.step(`endpoint.${setHeaders}, getHeaders: the sensitive ones are named and not shown`, async () => {
    await svix.endpoint[setHeaders](app, endpoint, { headers: { "X-Tour": "one", Authorization: "Bearer hidden" } });
    const got = await svix.endpoint.getHeaders(app, endpoint);
    assert.equal(named(got.headers, "x-tour"), "one");
    assert.deepEqual(
      got.sensitive.map((name) => name.toLowerCase()),
      ["authorization"],
    );
    assert.ok(!JSON.stringify(got).includes("hidden"));
  });
  await tour.step("endpoint.patchHeaders adds and deletes", async () => {
    const change = { headers: { "X-More": "two" }, deleteHeaders: ["X-Tour"] };
    await svix.endpoint.patchHeaders(app, endpoint, change);
    const got = await svix.endpoint.getHeaders(app, endpoint);
    assert.equal(named(got.headers, "x-more"), "two");
    assert.equal(named(got.headers, "x-tour"), undefined);
    assert.deepEqual(
      got.sensitive.map((name) => name.toLowerCase()),
      ["authorization"],
    );
  });
  if (isFirst) {
    await tour.step("endpoint.headersUpdate and headersPatch are the same by their old names", async () => {
      await svix.endpoint.headersUpdate(app, endpoint, { headers: { "X-More": "two" } });
      await svix.endpoint.headersPatch(app, endpoint, { headers: { "X-Old": "three" } });
      assert.equal(named((await svix.endpoint.getHeaders(app, endpoint)).headers, "x-old"), "three");
    });
  }
  await tour.step("headers that frame a message or carry its signature: 422", async () => {
    for (const name of ["Host", "Content-Length", "webhook-signature", "svix-id"]) {
      await refused(sdk, 422, null, () => svix.endpoint[setHeaders](app, endpoint, { headers: { [name]: "x" } }));
    }
  });
}

async function secrets(tour, { svix, sdk }, app, endpoint, key) {
  await tour.step("endpoint.getSecret answers the one that was given", async () =>
    assert.equal((await svix.endpoint.getSecret(app, endpoint)).key, key),
  );
  await tour.step("endpoint.rotateSecret to a given one, and to a made one", async () => {
    const next = secret();
    await svix.endpoint.rotateSecret(app, endpoint, { key: next });
    assert.equal((await svix.endpoint.getSecret(app, endpoint)).key, next);
    await svix.endpoint.rotateSecret(app, endpoint, {});
    const made = (await svix.endpoint.getSecret(app, endpoint)).key;
    assert.match(made, /^whsec_/);
    assert.notEqual(made, next);
  });
  await tour.step("endpoint.rotateSecret with a secret that is none: 422", () =>
    refused(sdk, 422, null, () => svix.endpoint.rotateSecret(app, endpoint, { key: "whsec_c2hvcnQ=" })),
  );
  await tour.step("endpoint.rotateSecret more often than ten times within the grace: 400", async () => {
    const { id } = await svix.endpoint.create(app, { url: "http://127.0.0.1:9/" });
    for (let times = 0; times < 10; times += 1) await svix.endpoint.rotateSecret(app, id);
    await refused(sdk, 400, "limit_reached", () => svix.endpoint.rotateSecret(app, id));
  });
}
