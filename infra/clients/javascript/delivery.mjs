// What a receiver gets: the bytes, the headers, signatures that the libraries verify.
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";

import { Webhook as StandardWebhook } from "standardwebhooks";

import { secret } from "./endpoint.mjs";
import { Inbox, refused } from "./harness.mjs";

const only = (headers, family) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(`${family}-`)));

/** Checks a delivery by both libraries and both families of headers. */
function verified({ sdk }, key, delivery) {
  for (const family of ["webhook", "svix"]) {
    new sdk.Webhook(key).verify(delivery.body, only(delivery.headers, family));
  }
  new StandardWebhook(key).verify(delivery.body, only(delivery.headers, "webhook"));
}

function refusedBy({ sdk }, key, { body, headers }) {
  assert.throws(() => new sdk.Webhook(key).verify(body, headers), sdk.WebhookVerificationError);
  assert.throws(() => new StandardWebhook(key).verify(body, headers));
}

/** An endpoint with an inbox of its own, in an application of its own. */
async function listener({ svix }, given = {}) {
  const { id: app } = await svix.application.create({ name: "Deliveries" });
  const inbox = new Inbox();
  const endpoint = await svix.endpoint.create(app, { url: inbox.url, ...given });
  return { app, inbox, endpoint, key: (await svix.endpoint.getSecret(app, endpoint.id)).key };
}

export async function deliveries(tour, scene) {
  const { svix } = scene;
  await tour.step("a delivery is verified by both libraries and both families of headers", async () => {
    const { app, inbox, key } = await listener(scene);
    const payload = { text: 'Größe ✓ \u0007 "quoted"', list: [1, 2.5, -3e-7], nested: { null: null } };
    const { id } = await svix.message.create(app, { eventType: "order.placed", payload });
    const [delivery] = await inbox.wait(1);
    verified(scene, key, delivery);
    assert.equal(delivery.body, JSON.stringify(payload));
    assert.equal(delivery.headers["webhook-id"], id);
    for (const part of ["id", "timestamp", "signature"]) {
      assert.equal(delivery.headers[`svix-${part}`], delivery.headers[`webhook-${part}`]);
    }
    assert.equal(delivery.headers["content-type"], "application/json");
    assert.match(delivery.headers["user-agent"], /^Tidings\//);
    refusedBy(scene, key, { ...delivery, body: delivery.body.replace("1", "7") });
    refusedBy(scene, secret(), delivery);
  });
  await tour.step("headers given at the endpoint's creation, and set later, are sent", async () => {
    const { app, inbox, endpoint } = await listener(scene, { headers: { "X-Given": "at birth" } });
    await svix.endpoint.patchHeaders(app, endpoint.id, { headers: { "X-Api-Key": "k-1" } });
    await svix.message.create(app, { eventType: "order.placed", payload: {} });
    const [{ headers }] = await inbox.wait(1);
    assert.deepEqual([headers["x-given"], headers["x-api-key"]], ["at birth", "k-1"]);
  });
  await tour.step("the payload is delivered byte for byte as it was posted", async () => {
    const { app, inbox, key } = await listener(scene);
    const payload = '{ "b" : 1.0,\n\t"a":1e2, "big":12345678901234567890, "ü" : "\\u00fc\\/", "z":-0.0 , "a b":[ ]}';
    const response = await fetch(`${scene.url}/api/v1/app/${app}/msg`, {
      method: "POST",
      headers: { authorization: `Bearer ${scene.token}`, "content-type": "application/json" },
      body: `{"payload": ${payload} , "eventType":"order.placed"}`,
    });
    assert.equal(response.status, 202);
    const [delivery] = await inbox.wait(1);
    assert.equal(delivery.body, payload);
    verified(scene, key, delivery);
  });
  await rotation(tour, scene);
  await asymmetric(tour, scene);
}

async function rotation(tour, scene) {
  const { svix } = scene;
  await tour.step("during a rotation's grace both the old and the new secret verify", async () => {
    const { app, inbox, endpoint, key: old } = await listener(scene);
    const next = secret();
    await svix.endpoint.rotateSecret(app, endpoint.id, { key: next });
    await svix.message.create(app, { eventType: "order.placed", payload: { during: true } });
    const [delivery] = await inbox.wait(1);
    for (const key of [old, next]) verified(scene, key, delivery);
    assert.equal(delivery.headers["webhook-signature"].split(" ").length, 2);
  });
  await tour.step("without a grace only the new secret verifies", async () => {
    const { app, inbox, endpoint, key: old } = await listener(scene);
    await svix.endpoint.rotateSecret(app, endpoint.id, { gracePeriodSeconds: 0 });
    const { key: next } = await svix.endpoint.getSecret(app, endpoint.id);
    await svix.message.create(app, { eventType: "order.placed", payload: { after: true } });
    const [delivery] = await inbox.wait(1);
    verified(scene, next, delivery);
    refusedBy(scene, old, delivery);
  });
}

/** An Ed25519 key as an endpoint's secret: the seed and the public half. */
function asymmetricSecret() {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { d, x } = privateKey.export({ format: "jwk" });
  const both = Buffer.concat([Buffer.from(d, "base64url"), Buffer.from(x, "base64url")]);
  return { secret: `whsk_${both.toString("base64")}`, shown: `whpk_${Buffer.from(x, "base64url").toString("base64")}` };
}

/** No published verifier knows `v1a` yet, so this is Node's Ed25519, by the public half as Tidings shows it. */
function verifiedAsymmetrically(shown, { headers, body }) {
  const x = Buffer.from(shown.replace(/^whpk_/, ""), "base64").toString("base64url");
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
  const signatures = headers["webhook-signature"].split(" ").filter((one) => one.startsWith("v1a,"));
  const text = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  return signatures.some((one) => verify(null, text, key, Buffer.from(one.slice("v1a,".length), "base64")));
}

async function asymmetric(tour, scene) {
  const { svix, sdk } = scene;
  await tour.step("an asymmetric key: its public half is shown, and verifies v1a", async () => {
    const pair = asymmetricSecret();
    const { app, inbox, key } = await listener(scene, { secret: pair.secret });
    assert.equal(key, pair.shown);
    await svix.message.create(app, { eventType: "order.placed", payload: { signed: "v1a" } });
    const [delivery] = await inbox.wait(1);
    assert.ok(verifiedAsymmetrically(key, delivery), delivery.headers["webhook-signature"]);
    assert.ok(!verifiedAsymmetrically(key, { ...delivery, body: "{}" }));
    assert.ok(!verifiedAsymmetrically(asymmetricSecret().shown, delivery));
  });
  await tour.step("from a shared secret to an asymmetric key: both verify during the grace", async () => {
    const { app, inbox, endpoint, key: old } = await listener(scene);
    const pair = asymmetricSecret();
    await svix.endpoint.rotateSecret(app, endpoint.id, { key: pair.secret });
    await svix.message.create(app, { eventType: "order.placed", payload: { moving: true } });
    const [delivery] = await inbox.wait(1);
    verified(scene, old, delivery);
    assert.ok(verifiedAsymmetrically(pair.shown, delivery));
  });
  await tour.step("an asymmetric key of the wrong length: 422", async () => {
    const { id: app } = await svix.application.create({ name: "Wrong key" });
    const wrong = `whsk_${Buffer.alloc(20).toString("base64")}`;
    await refused(sdk, 422, null, () => svix.endpoint.create(app, { url: "http://127.0.0.1:9/", secret: wrong }));
  });
}
