// Receivers that fail, and what repairs it. The schedule of the run is three more attempts, a second apart.
import assert from "node:assert/strict";

import { Inbox, pages, refused, until } from "./harness.mjs";

export async function failures(tour, scene) {
  const { svix } = scene;
  const { id: app } = await svix.application.create({ name: "Failures" });
  const send = (payload = {}) => svix.message.create(app, { eventType: "order.placed", payload });
  const ofMessage = async (id) => (await svix.messageAttempt.listByMsg(app, id, { withContent: true })).data;
  const place = (id) => async () => (await svix.messageAttempt.listAttemptedDestinations(app, id)).data[0];
  const stands = async (id, text) => {
    await until(`the message to be ${text}`, async () => (await place(id)())?.statusText === text);
    return ofMessage(id);
  };
  /** Each alone in the application, so that no other one gets its messages. */
  const alone = async (body) => {
    const inbox = new Inbox();
    const endpoint = await svix.endpoint.create(app, { url: inbox.url });
    try {
      await body(inbox, endpoint);
    } finally {
      await svix.endpoint.delete(app, endpoint.id);
    }
  };

  await tour.step("500, then 200: a failure, then a success, of one message", () =>
    alone(async (inbox) => {
      await inbox.script({ status: 500, body: "later" }, { status: 200, body: "now" });
      const { id } = await send({ again: true });
      const attempts = await stands(id, "success");
      assert.deepEqual(
        attempts.map(({ status, responseStatusCode, response }) => [status, responseStatusCode, response]),
        [
          [0, 200, "now"],
          [2, 500, "later"],
        ],
      );
      const [one, two] = await inbox.seen();
      assert.equal(two.headers["webhook-id"], one.headers["webhook-id"]);
      assert.equal(two.body, one.body);
    }),
  );
  await tour.step("Retry-After is honoured: not before it says", () =>
    alone(async (inbox) => {
      await inbox.script({ status: 503, headers: { "retry-after": "4" } }, { status: 200 });
      await send();
      const [one, two] = await inbox.wait(2);
      // The schedule alone would have come back after about a second.
      assert.ok(two.time - one.time >= 3.9, `came back after ${two.time - one.time} s`);
    }),
  );
  await tour.step("the schedule ends; endpoint.recover delivers what failed, as a background task", () =>
    alone(async (inbox, endpoint) => {
      const since = new Date(Date.now() - 60_000);
      await inbox.script({ status: 500 });
      const sent = [await send({ count: 1 }), await send({ count: 2 })];
      for (const { id } of sent) assert.equal((await stands(id, "fail")).length, 4);
      await inbox.script({ status: 200 });
      const { id, task, status } = await svix.endpoint.recover(app, endpoint.id, { since });
      assert.match(id, /^qtask_/);
      assert.equal(task, "endpoint.recover");
      assert.ok(["running", "finished"].includes(status), status);
      for (const { id } of sent) await stands(id, "success");
      await finished(scene, id, "endpoint.recover");
    }),
  );
  await tour.step("410 disables the endpoint; replayMissing delivers what it missed", () =>
    alone(async (inbox, endpoint) => {
      const since = new Date(Date.now() - 60_000);
      await inbox.script({ status: 410 });
      const gone = await send({ gone: true });
      await until("the endpoint to be disabled", async () => (await svix.endpoint.get(app, endpoint.id)).disabled);
      assert.equal((await ofMessage(gone.id)).length, 1);
      const missed = await send({ missed: true });
      await inbox.script({ status: 200 });
      await svix.endpoint.patch(app, endpoint.id, { disabled: false });
      const { id, task } = await svix.endpoint.replayMissing(app, endpoint.id, { since });
      assert.equal(task, "endpoint.replay");
      await stands(missed.id, "success");
      await finished(scene, id, "endpoint.replay");
      const ids = (await inbox.seen()).map(({ headers }) => headers["webhook-id"]);
      assert.ok(ids.includes(missed.id), "the missed message came");
    }),
  );
  await tour.step("endpoint.recover of longer ago than 14 days: refused", () =>
    alone(async (_, endpoint) => {
      const since = new Date(Date.now() - 15 * 86_400_000);
      await refused(scene.sdk, 422, null, () => svix.endpoint.recover(app, endpoint.id, { since }));
    }),
  );
}

/** Waits for the task's end, by `get`, and finds it by `list`. */
async function finished({ svix, sdk, isFirst }, id, task) {
  const done = await until("the task's end", async () => {
    const got = await svix.backgroundTask.get(id);
    return got.status === "running" ? undefined : got;
  });
  assert.deepEqual([done.id, done.status, done.task], [id, "finished", task]);
  assert.equal(typeof done.data, "object");
  const lists = isFirst ? ["list", "listByEndpoint"] : ["list"];
  for (const name of lists) {
    const list = (options) => pages((iterator) => svix.backgroundTask[name]({ ...options, limit: 1, iterator }));
    for (const options of [{}, { task }, { status: "finished" }, { order: "descending" }]) {
      assert.ok(
        (await list(options)).some((one) => one.id === id),
        `${name} ${JSON.stringify(options)}`,
      );
    }
    assert.ok(!(await list({ status: "failed" })).some((one) => one.id === id));
  }
  await refused(sdk, 404, "not_found", () => svix.backgroundTask.get("qtask_2aaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
