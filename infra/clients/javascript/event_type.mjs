// Event types.
import assert from "node:assert/strict";

import { pages, refused } from "./harness.mjs";

/** An example that is sent by `send-example`, too. */
export const EXAMPLE = { order: "o-17", total: 12 };
export const SCHEMAS = {
  1: {
    title: "Order placed",
    type: "object",
    properties: { order: { type: "string" }, total: { type: "number" } },
    examples: [EXAMPLE],
  },
};

export async function eventTypes(tour, { svix, sdk, generation }) {
  const { upsert } = generation;
  const made = await svix.eventType.create({
    name: "tour.order-placed",
    description: "An order",
    schemas: SCHEMAS,
    featureFlags: ["beta"],
    groupName: "tour",
  });
  await tour.step("eventType.create answers what was made", () => {
    assert.equal(made.name, "tour.order-placed");
    assert.equal(made.description, "An order");
    assert.deepEqual(made.schemas, SCHEMAS);
    assert.deepEqual(made.featureFlags, ["beta"]);
    assert.equal(made.groupName, "tour");
    assert.equal(made.archived ?? false, false);
    assert.equal(made.deprecated, false);
  });
  await tour.step("eventType.create with a taken name: 409 conflict", () =>
    refused(sdk, 409, "conflict", () => svix.eventType.create({ name: made.name, description: "Twice" })),
  );
  await tour.step("eventType.create with a name that is none: 422", () =>
    refused(sdk, 422, null, () => svix.eventType.create({ name: "no spaces here", description: "" })),
  );
  await tour.step("eventType.get", async () => assert.deepEqual(await svix.eventType.get(made.name), made));
  await tour.step(`eventType.${upsert} creates, then updates`, async () => {
    const created = await svix.eventType[upsert]("tour.put", { description: "Put" });
    assert.equal(created.name, "tour.put");
    const updated = await svix.eventType[upsert]("tour.put", { description: "Put again", deprecated: true });
    assert.equal(updated.description, "Put again");
    assert.equal(updated.deprecated, true);
  });
  await tour.step("eventType.patch changes what it names and leaves the rest", async () => {
    const patched = await svix.eventType.patch(made.name, { featureFlags: null, description: "An order, placed" });
    assert.equal(patched.description, "An order, placed");
    assert.deepEqual(patched.featureFlags ?? [], []);
    assert.deepEqual(patched.schemas, SCHEMAS);
  });
  await tour.step("eventType.list pages in order of names; schemas only when asked for", async () => {
    await svix.eventType.create({ name: "tour.third", description: "" });
    const all = await pages((iterator) => svix.eventType.list({ limit: 1, iterator, withContent: true }));
    assert.deepEqual(
      all.map(({ name }) => name),
      ["tour.order-placed", "tour.put", "tour.third"],
    );
    assert.deepEqual(all[0].schemas, SCHEMAS);
    const bare = await svix.eventType.list({ withContent: false });
    assert.equal(bare.data[0].schemas ?? null, null);
  });
  await tour.step("eventType.delete archives; expunge removes", async () => {
    const names = async (options) => (await svix.eventType.list(options)).data.map(({ name }) => name);
    await svix.eventType.delete("tour.put");
    assert.equal((await svix.eventType.get("tour.put")).archived, true);
    assert.ok(!(await names({})).includes("tour.put"));
    assert.ok((await names({ includeArchived: true })).includes("tour.put"));
    await svix.eventType.delete("tour.put", { expunge: true });
    await refused(sdk, 404, "not_found", () => svix.eventType.get("tour.put"));
  });
}
