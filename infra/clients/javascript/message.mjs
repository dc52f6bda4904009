// Messages: made, found, listed, expunged.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { Inbox, pages, refused } from "./harness.mjs";

export async function messages(tour, scene) {
  const { svix, sdk, isFirst } = scene;
  const { id: app } = await svix.application.create({ name: "Messages" });
  const payload = { order: "o-1", total: 12.5, lines: [{ sku: "a", count: 2 }], note: null };
  const eventId = `event-${randomUUID()}`;

  const made = await svix.message.create(app, {
    eventType: "order.placed",
    payload,
    eventId,
    channels: ["north", "west"],
  });
  await tour.step("message.create answers what was made", () => {
    assert.match(made.id, /^msg_[0-9A-Za-z]{27}$/);
    assert.equal(made.eventType, "order.placed");
    assert.equal(made.eventId, eventId);
    assert.deepEqual([...made.channels].sort(), ["north", "west"]);
    assert.ok(Math.abs(made.timestamp.getTime() - Date.now()) < 60_000);
    // The first generation gets the payload unless it says no, the second when it says yes.
    assert.deepEqual(made.payload, isFirst ? payload : {});
  });
  await tour.step("message.create with withContent, both ways", async () => {
    const given = { eventType: "order.placed", payload };
    assert.deepEqual((await svix.message.create(app, given, { withContent: true })).payload, payload);
    assert.deepEqual((await svix.message.create(app, given, { withContent: false })).payload, {});
  });
  await tour.step("message.get with and without content", async () => {
    const got = await svix.message.get(app, made.id, { withContent: true });
    assert.equal(got.id, made.id);
    assert.deepEqual(got.payload, payload);
    assert.equal(got.timestamp.getTime(), made.timestamp.getTime());
    assert.deepEqual((await svix.message.get(app, made.id, { withContent: false })).payload, {});
    await refused(sdk, 404, "not_found", () => svix.message.get(app, "msg_2aaaaaaaaaaaaaaaaaaaaaaaaaa"));
  });
  await tour.step("message.get by eventId", async () =>
    assert.equal((await svix.message.get(app, eventId)).id, made.id),
  );
  await tour.step("message.create with an eventId that is taken: 409 conflict", () =>
    refused(sdk, 409, "conflict", () => svix.message.create(app, { eventType: "order.placed", payload: {}, eventId })),
  );
  await tour.step("message.create for an application that does not exist: 404 not_found", () =>
    refused(sdk, 404, "not_found", () => svix.message.create("nobody", { eventType: "order.placed", payload: {} })),
  );
  await tour.step("message.create with a payload that is no object: 422", () =>
    refused(sdk, 422, null, () => svix.message.create(app, { eventType: "order.placed", payload: [1] })),
  );
  await tour.step("message.create with too much payload: 413 payload_too_large", () => {
    const large = { eventType: "order.placed", payload: { text: "x".repeat(257 * 1024) } };
    return refused(sdk, 413, "payload_too_large", () => svix.message.create(app, large));
  });
  await tour.step("message.create makes the application that its body brings", async () => {
    const uid = `brought-${randomUUID()}`;
    const given = { eventType: "order.placed", payload: {}, application: { name: "Brought", uid } };
    await svix.message.create(uid, given);
    const brought = await svix.application.get(uid);
    assert.equal(brought.name, "Brought");
    await svix.message.create(uid, given);
    assert.equal((await pages((iterator) => svix.message.list(uid, { iterator }))).length, 2);
  });
  await idempotency(tour, scene);
  await lists(tour, scene);
  await unsupported(tour, scene, app);
  await tour.step("message.expungeContent: the payload is gone, the message stays", async () => {
    await svix.message.expungeContent(app, made.id);
    const got = await svix.message.get(app, made.id, { withContent: true });
    assert.deepEqual(got.payload, { expired: true });
    assert.equal(got.eventId, eventId);
  });
}

async function idempotency(tour, { svix, sdk }) {
  const { id: app } = await svix.application.create({ name: "Idempotency" });
  const inbox = new Inbox();
  await svix.endpoint.create(app, { url: inbox.url });
  const idempotencyKey = randomUUID();
  const given = { eventType: "order.placed", payload: { once: true } };
  await tour.step("message.create with an idempotencyKey: the first answer again, one delivery", async () => {
    const first = await svix.message.create(app, given, { idempotencyKey, withContent: true });
    const again = await svix.message.create(app, given, { idempotencyKey, withContent: true });
    assert.deepEqual(again, first);
    const after = await svix.message.create(app, given);
    const seen = await inbox.wait(2);
    assert.deepEqual(seen.map(({ headers }) => headers["webhook-id"]).sort(), [first.id, after.id].sort());
  });
  await tour.step("message.create with its idempotencyKey and another body: 409", () =>
    refused(sdk, 409, "conflict", () =>
      svix.message.create(app, { ...given, payload: { once: false } }, { idempotencyKey, withContent: true }),
    ),
  );
  await tour.step("application.create with an idempotencyKey: the first answer again", async () => {
    const key = randomUUID();
    const first = await svix.application.create({ name: "Once" }, { idempotencyKey: key });
    assert.deepEqual(await svix.application.create({ name: "Once" }, { idempotencyKey: key }), first);
    await refused(sdk, 409, "conflict", () => svix.application.create({ name: "Twice" }, { idempotencyKey: key }));
  });
}

async function lists(tour, { svix }) {
  const { id: app } = await svix.application.create({ name: "Lists" });
  const sent = [];
  for (let count = 0; count < 7; count += 1) {
    const eventType = count % 2 === 0 ? "even" : "odd";
    const channels = count < 3 ? ["early"] : undefined;
    const tags = count > 4 ? ["late"] : undefined;
    sent.push(await svix.message.create(app, { eventType, payload: { count }, channels, tags }));
    // So that no two have the same time: before and after are to tell them apart.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const ids = (list) => list.map(({ id }) => id);
  const newestFirst = ids(sent).reverse();
  const list = (options) => pages((iterator) => svix.message.list(app, { ...options, iterator }));
  await tour.step("message.list pages, newest first", async () => {
    assert.deepEqual(ids(await list({ limit: 3 })), newestFirst);
    const one = await svix.message.list(app, { limit: 3 });
    const two = await svix.message.list(app, { limit: 3, iterator: one.iterator });
    const back = await svix.message.list(app, { limit: 3, iterator: two.prevIterator });
    assert.deepEqual(ids(back.data), ids(one.data));
  });
  await tour.step("message.list by event types, channel and tag", async () => {
    assert.deepEqual(ids(await list({ limit: 2, eventTypes: ["odd"] })), ids([sent[5], sent[3], sent[1]]));
    assert.deepEqual(ids(await list({ eventTypes: ["odd", "even"] })), newestFirst);
    assert.deepEqual(ids(await list({ limit: 1, channel: "early" })), ids([sent[2], sent[1], sent[0]]));
    assert.deepEqual(ids(await list({ tag: "late" })), ids([sent[6], sent[5]]));
  });
  await tour.step("message.list before and after a time", async () => {
    assert.deepEqual(ids(await list({ before: sent[3].timestamp })), ids([sent[2], sent[1], sent[0]]));
    const later = ids(await list({ after: sent[3].timestamp }));
    assert.ok(!later.includes(sent[2].id) && later.includes(sent[4].id) && later.includes(sent[6].id), String(later));
  });
  await tour.step("message.list with and without content", async () => {
    assert.deepEqual((await svix.message.list(app, { limit: 1, withContent: true })).data[0].payload, { count: 6 });
    assert.deepEqual((await svix.message.list(app, { limit: 1, withContent: false })).data[0].payload, {});
  });
}

async function unsupported(tour, { svix, sdk }, app) {
  await tour.step("what Tidings does not do is refused, not dropped: messageInRaw, deliverAt", async () => {
    const raw = sdk.messageInRaw("order.raw", '<order id="1"/>', "application/xml");
    await refused(sdk, 422, null, () => svix.message.create(app, raw));
    const later = { eventType: "order.placed", payload: {}, deliverAt: new Date(Date.now() + 3_600_000) };
    await refused(sdk, 422, null, () => svix.message.create(app, later));
  });
}
