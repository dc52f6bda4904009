// Applications, and what all operations share: typed errors and pages.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { pages, refused } from "./harness.mjs";

export async function applications(tour, { svix, sdk, generation, client }) {
  const { rate, upsert } = generation;
  const uid = `app-${randomUUID()}`;
  const made = [];

  const first = await svix.application.create({ name: "First", uid, metadata: { plan: "gold" }, [rate]: 50 });
  made.push(first.id);
  await tour.step("application.create answers what was made", () => {
    assert.match(first.id, /^app_[0-9A-Za-z]{27}$/);
    assert.equal(first.name, "First");
    assert.equal(first.uid, uid);
    assert.deepEqual(first.metadata, { plan: "gold" });
    assert.equal(first[rate], 50);
    for (const time of [first.createdAt, first.updatedAt]) {
      assert.ok(Math.abs(time.getTime() - Date.now()) < 60_000, String(time));
    }
  });
  await tour.step("application.create with a taken uid: 409 conflict", () =>
    refused(sdk, 409, "conflict", () => svix.application.create({ name: "Second", uid })),
  );
  await tour.step("application.getOrCreate gives the existing one, else a new one", async () => {
    assert.equal((await svix.application.getOrCreate({ name: "Other", uid })).id, first.id);
    const other = await svix.application.getOrCreate({ name: "Other", uid: `${uid}-other` });
    made.push(other.id);
    assert.notEqual(other.id, first.id);
    assert.equal(other.name, "Other");
  });
  await tour.step("application.get by id and by uid", async () => {
    assert.deepEqual(await svix.application.get(first.id), first);
    assert.deepEqual(await svix.application.get(uid), first);
  });
  await tour.step(`application.${upsert} creates, then updates`, async () => {
    const name = `${uid}-put`;
    const created = await svix.application[upsert](name, { name: "Put", uid: name });
    made.push(created.id);
    const updated = await svix.application[upsert](name, { name: "Put again", uid: name, metadata: { a: "b" } });
    assert.equal(updated.id, created.id);
    assert.equal(updated.name, "Put again");
    assert.deepEqual(updated.metadata, { a: "b" });
  });
  await tour.step("application.patch changes what it names and leaves the rest", async () => {
    const patched = await svix.application.patch(first.id, { name: "Renamed" });
    assert.equal(patched.name, "Renamed");
    assert.equal(patched.uid, uid);
    assert.deepEqual(patched.metadata, { plan: "gold" });
    const without = await svix.application.patch(first.id, { uid: null, [rate]: null });
    assert.equal(without.uid ?? null, null);
    assert.equal(without[rate] ?? null, null);
    assert.equal(without.name, "Renamed");
    await refused(sdk, 404, "not_found", () => svix.application.get(uid));
  });
  await tour.step("application.list pages forth and back, in both orders", async () => {
    while (made.length < 7) made.push((await svix.application.create({ name: `Page ${made.length}` })).id);
    const ids = (list) => list.map(({ id }) => id);
    const ascending = await pages((iterator) => svix.application.list({ limit: 3, iterator }));
    assert.deepEqual(ids(ascending), [...made].sort());
    const order = sdk.Ordering?.Descending ?? "descending";
    const descending = await pages((iterator) => svix.application.list({ limit: 2, iterator, order }));
    assert.deepEqual(ids(descending), [...made].sort().reverse());
    const one = await svix.application.list({ limit: 3 });
    const two = await svix.application.list({ limit: 3, iterator: one.iterator });
    const back = await svix.application.list({ limit: 3, iterator: two.prevIterator });
    assert.deepEqual(ids(back.data), ids(one.data));
  });
  await tour.step("application.delete; then 404 not_found", async () => {
    await svix.application.delete(made.at(-1));
    await refused(sdk, 404, "not_found", () => svix.application.get(made.at(-1)));
    await refused(sdk, 404, "not_found", () => svix.application.delete(made.at(-1)));
  });
  await tour.step("what is invalid: 422 with where and why", async () => {
    const { detail } = await refused(sdk, 422, null, () => svix.application.create({ name: "x", uid: "not a uid!" }));
    assert.deepEqual(detail[0].loc, ["body", "uid"]);
    await refused(sdk, 422, null, () => svix.application.list({ limit: 251 }));
  });
  await tour.step("a bad token: 401 authentication_failed", () =>
    refused(sdk, 401, "authentication_failed", () => client("not.a.token").application.list()),
  );
}
