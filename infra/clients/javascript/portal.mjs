// Tokens of one application: what its holder may do, and when it ends.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { Inbox, refused, until } from "./harness.mjs";

export async function portal(tour, scene) {
  const { svix, sdk, client } = scene;
  const own = await svix.application.create({ name: "Own", uid: `own-${randomUUID()}` });
  const other = await svix.application.create({ name: "Other" });
  const inbox = new Inbox();
  const { id: foreign } = await svix.endpoint.create(other.id, { url: inbox.url });
  const sent = await svix.message.create(own.id, { eventType: "order.placed", payload: { own: true } });
  for (const flag of ["beta", "gamma"]) {
    await svix.eventType.create({ name: `flagged.${flag}`, description: "", featureFlags: [flag] });
  }

  const access = await svix.authentication.appPortalAccess(own.id, { featureFlags: ["beta"] });
  await tour.step("authentication.appPortalAccess answers a token and the console's URL with it", () => {
    assert.equal(access.token.split(".").length, 3);
    // As the hosted service gives it: what follows the # never leaves the browser.
    const [, key] = access.url.split("#key=");
    assert.deepEqual(JSON.parse(Buffer.from(key, "base64url")), { appId: own.id, token: access.token });
  });
  const holder = client(access.token);
  await tour.step("its holder reads and manages its own application", async () => {
    assert.equal((await holder.application.get(own.id)).id, own.id);
    assert.equal((await holder.application.get(own.uid)).id, own.id);
    const made = await holder.endpoint.create(own.id, { url: inbox.url, description: "By its holder" });
    assert.equal((await holder.endpoint.list(own.id)).data[0].id, made.id);
    assert.match((await holder.endpoint.getSecret(own.id, made.id)).key, /^whsec_/);
    await holder.endpoint.patch(own.id, made.id, { description: "Changed" });
    assert.equal((await holder.message.list(own.id)).data[0].id, sent.id);
    await holder.messageAttempt.resend(own.id, sent.id, made.id);
    await inbox.wait(1);
    await holder.endpoint.delete(own.id, made.id);
  });
  await tour.step("its holder sees the event types of its feature flags", async () => {
    const names = (await holder.eventType.list({ limit: 250 })).data.map(({ name }) => name);
    assert.ok(names.includes("flagged.beta") && !names.includes("flagged.gamma"), String(names));
  });
  await tour.step("another application: 404 not_found", async () => {
    const calls = [
      () => holder.application.get(other.id),
      () => holder.endpoint.list(other.id),
      () => holder.endpoint.get(other.id, foreign),
      () => holder.endpoint.create(other.id, { url: inbox.url }),
      () => holder.endpoint.get(own.id, foreign),
      () => holder.message.list(other.id),
    ];
    for (const call of calls) await refused(sdk, 404, "not_found", call);
  });
  await tour.step("what needs the organization: 403 insufficient access", async () => {
    const calls = [
      () => holder.application.list(),
      () => holder.application.create({ name: "By its holder" }),
      () => holder.eventType.create({ name: "by.holder", description: "" }),
      () => holder.message.create(own.id, { eventType: "order.placed", payload: {} }),
      () => holder.authentication.appPortalAccess(own.id),
    ];
    for (const call of calls) await refused(sdk, 403, "insufficient access", call);
  });
  await tour.step("authentication.appPortalAccess makes the application that its body brings", async () => {
    const uid = `portal-${randomUUID()}`;
    const { token } = await svix.authentication.appPortalAccess(uid, { application: { name: "Brought", uid } });
    assert.equal((await client(token).application.get(uid)).name, "Brought");
  });
  await tour.step("authentication.logout ends that token", async () => {
    const { token } = await svix.authentication.appPortalAccess(own.id);
    await client(token).authentication.logout();
    await refused(sdk, 401, "authentication_failed", () => client(token).application.get(own.id));
    assert.equal((await holder.application.get(own.id)).id, own.id);
  });
  await tour.step("authentication.expireAll ends the tokens there are", async () => {
    await svix.authentication.expireAll(own.id, { expiry: 0 });
    // Who has just seen a token may take it for some seconds more.
    await until("the token to be refused", () =>
      holder.application.get(own.id).then(
        () => false,
        () => true,
      ),
    );
    await refused(sdk, 401, "authentication_failed", () => holder.application.get(own.id));
    // Tokens tell the second of their making.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const { token } = await svix.authentication.appPortalAccess(own.id);
    assert.equal((await client(token).application.get(own.id)).id, own.id);
  });
}
