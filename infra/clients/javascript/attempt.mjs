// Attempts: of endpoints, of messages, one, again, expunged; and which messages reach which endpoints.
import assert from "node:assert/strict";

import { Inbox, pages, refused, until } from "./harness.mjs";

export async function attempts(tour, scene) {
  const { svix, sdk, generation } = scene;
  const { types } = generation;
  const { id: app } = await svix.application.create({ name: "Attempts" });
  const good = new Inbox();
  await good.script({ status: 200, body: "well received" });
  const bad = new Inbox();
  await bad.script({ status: 404, body: "not here" });
  const first = await svix.endpoint.create(app, { url: good.url });
  const second = await svix.endpoint.create(app, { url: bad.url, [types]: ["order.placed"], channels: ["north"] });

  // Only the last one is for the second endpoint, too: by its type, and by its channel.
  const sent = [];
  for (const [eventType, channels] of [
    ["order.sent", ["north"]],
    ["order.placed", ["south"]],
    ["order.placed", undefined],
    ["order.placed", ["north"]],
  ]) {
    sent.push(await svix.message.create(app, { eventType, payload: { eventType }, channels }));
  }
  const message = sent.at(-1);
  const ofEndpoint = (endpoint, options) =>
    pages((iterator) => svix.messageAttempt.listByEndpoint(app, endpoint, { ...options, iterator }));
  const ofMessage = (id, options) =>
    pages((iterator) => svix.messageAttempt.listByMsg(app, id, { ...options, iterator }));
  await good.wait(4);
  // One attempt and three more of the schedule.
  await until("the second endpoint's last attempt", async () => (await ofEndpoint(second.id)).length === 4);

  await tour.step("an endpoint gets what its event types and channels let through", async () => {
    const reached = new Set((await ofEndpoint(second.id)).map(({ msgId }) => msgId));
    assert.deepEqual([...reached], [message.id]);
    assert.deepEqual(
      (await good.seen()).map(({ headers }) => headers["webhook-id"]).sort(),
      sent.map(({ id }) => id).sort(),
    );
  });
  let attempt;
  await tour.step("messageAttempt.listByMsg, by endpoint, status and class", async () => {
    const [only, ...more] = await ofMessage(message.id, { endpointId: first.id, withContent: true });
    assert.deepEqual(more, []);
    attempt = only;
    assert.match(attempt.id, /^atmpt_[0-9A-Za-z]{27}$/);
    assert.equal(attempt.endpointId, first.id);
    assert.equal(attempt.msgId, message.id);
    assert.equal(attempt.url, good.url);
    assert.equal(attempt.response, "well received");
    assert.equal(attempt.responseStatusCode, 200);
    assert.ok(Number.isInteger(attempt.responseDurationMs) && attempt.responseDurationMs >= 0);
    assert.deepEqual([attempt.status, attempt.statusText, attempt.triggerType], [0, "success", 0]);
    assert.equal((await ofMessage(message.id, { limit: 2 })).length, 5);
    assert.equal((await ofMessage(message.id, { status: 2 })).length, 4);
    assert.equal((await ofMessage(message.id, { statusCodeClass: 400 })).length, 4);
    assert.equal((await ofMessage(message.id, { statusCodeClass: 200 })).length, 1);
    assert.equal((await ofMessage(message.id, { channel: "south" })).length, 0);
    assert.equal((await ofMessage(message.id, { eventTypes: ["order.placed"] })).length, 5);
    assert.equal((await ofMessage(message.id, { eventTypes: ["order.sent"] })).length, 0);
  });
  await tour.step("messageAttempt.listByEndpoint pages newest first, with every filter", async () => {
    const all = await ofEndpoint(first.id, { limit: 1 });
    assert.deepEqual(
      all.map(({ id }) => id),
      all
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
    assert.deepEqual(new Set(all.map(({ msgId }) => msgId)), new Set(sent.map(({ id }) => id)));
    assert.equal((await ofEndpoint(first.id, { status: 2 })).length, 0);
    assert.equal((await ofEndpoint(second.id, { status: 2, statusCodeClass: 400 })).length, 4);
    assert.equal((await ofEndpoint(first.id, { eventTypes: ["order.sent"] })).length, 1);
    assert.equal((await ofEndpoint(first.id, { channel: "north" })).length, 2);
    assert.equal((await ofEndpoint(first.id, { before: sent[0].timestamp })).length, 0);
    assert.equal((await ofEndpoint(first.id, { after: sent[0].timestamp })).length, 4);
  });
  await tour.step("messageAttempt.listByEndpoint with the message", async () => {
    const [{ msg, msgId }] = (await svix.messageAttempt.listByEndpoint(app, first.id, { withMsg: true })).data;
    assert.equal(msg?.id, msgId);
  });
  await tour.step("messageAttempt.get", async () => {
    const got = await svix.messageAttempt.get(app, message.id, attempt.id);
    assert.equal(got.response, "well received");
    assert.deepEqual({ ...got, response: "" }, { ...attempt, response: "" });
    await refused(sdk, 404, "not_found", () => svix.messageAttempt.get(app, sent[0].id, attempt.id));
  });
  await tour.step("messageAttempt.listAttemptedMessages", async () => {
    const list = (endpoint, options) =>
      pages((iterator) => svix.messageAttempt.listAttemptedMessages(app, endpoint, { ...options, iterator }));
    const all = await list(first.id, { limit: 3, withContent: true });
    // Newest attempt first: what was sent within milliseconds may be attempted in another order.
    const ids = sent.map(({ id }) => id);
    assert.deepEqual(all.map(({ id }) => id).sort(), ids.sort());
    assert.deepEqual([all[0].status, all[0].statusText], [0, "success"]);
    assert.deepEqual(all[0].payload, { eventType: all[0].eventType });
    const failed = await list(second.id, { status: 2 });
    assert.deepEqual(
      failed.map(({ id, statusText }) => [id, statusText]),
      [[message.id, "fail"]],
    );
    assert.equal((await list(first.id, { status: 2 })).length, 0);
  });
  await tour.step("messageAttempt.listAttemptedDestinations", async () => {
    const list = (id) =>
      pages((iterator) => svix.messageAttempt.listAttemptedDestinations(app, id, { limit: 1, iterator }));
    // By id: endpoints of the same 4 ms stand in no other order.
    const both = new Map((await list(message.id)).map((one) => [one.id, one]));
    assert.equal(both.size, 2);
    assert.deepEqual([both.get(first.id).statusText, both.get(second.id).statusText], ["success", "fail"]);
    assert.equal(both.get(first.id).url, good.url);
    assert.deepEqual(
      (await list(sent[0].id)).map(({ id }) => id),
      [first.id],
    );
  });
  await tour.step("endpoint.getStats counts messages by where they stand", async () => {
    const good = await svix.endpoint.getStats(app, first.id);
    assert.deepEqual([good.success, good.fail, good.pending, good.sending], [4, 0, 0, 0]);
    const bad = await svix.endpoint.getStats(app, second.id);
    assert.deepEqual([bad.success, bad.fail], [0, 1]);
  });
  await tour.step("messageAttempt.resend: the same message once more, triggered by hand", async () => {
    await svix.messageAttempt.resend(app, message.id, first.id);
    const seen = await good.wait(5);
    assert.equal(seen.filter(({ headers }) => headers["webhook-id"] === message.id).length, 2);
    const [newest] = await until("the attempt", async () => {
      const all = await ofMessage(message.id, { endpointId: first.id });
      return all.length === 2 ? all : undefined;
    });
    assert.deepEqual([newest.status, newest.triggerType], [0, 1]);
    await refused(sdk, 404, "not_found", () => svix.messageAttempt.resend(app, message.id, "nobody"));
  });
  await tour.step("messageAttempt.expungeContent: the answer's text is gone", async () => {
    await svix.messageAttempt.expungeContent(app, message.id, attempt.id);
    const got = await svix.messageAttempt.get(app, message.id, attempt.id);
    assert.ok(!got.response.includes("well received"), got.response);
    assert.equal(got.responseStatusCode, 200);
  });
}
