// What each sender's library signs and what it says of a request. `judge` answers true or false at a time in seconds.
import { createHmac } from 'node:crypto'

import '@shopify/shopify-api/adapters/node'
import { Webhooks } from '@octokit/webhooks'
import { LogSeverity, shopifyApi } from '@shopify/shopify-api'
import { createSHA256HMAC } from '@shopify/shopify-api/runtime'
import slack from '@slack/bolt'
import * as basicAuth from 'basic-auth'
import { Webhook } from 'standardwebhooks'
import { Stripe } from 'stripe'
import { Webhook as SvixWebhook } from 'svix'

/** What a library throws at is refused. */
async function accepted(judge) {
  try {
    return (await judge()) !== false
  } catch {
    return false
  }
}

/** These libraries look at the clock themselves. */
async function at(seconds, judge) {
  const real = Date.now
  Date.now = () => seconds * 1000
  try {
    return await accepted(judge)
  } finally {
    Date.now = real
  }
}

export const docebo = {
  library: 'basic-auth',
  sign: ({ username, password }) => basicAuth.format({ name: username, pass: password }),
  judge: ({ login, headers }) =>
    accepted(() => {
      const sent = basicAuth.parse(headers.authorization)
      return sent !== undefined && sent.name === login.username && sent.pass === login.password
    }),
}

export const standard = {
  library: 'standardwebhooks',
  sign: (secret, id, time, body) => new Webhook(secret).sign(id, new Date(time * 1000), body),
  judge: ({ secret, headers, body, now }) =>
    at(now, () => new Webhook(secret).verify(body, headers, { jsonParse: false }) === undefined),
}

export const svix = {
  library: 'svix',
  sign: (secret, id, time, body) => new SvixWebhook(secret).sign(id, new Date(time * 1000), body),
  judge: ({ secret, headers, body, now }) =>
    at(now, () => {
      new SvixWebhook(secret).verify(body, headers)
    }),
}

export const github = {
  library: '@octokit/webhooks',
  sign: (secret, body) => new Webhooks({ secret }).sign(body),
  judge: ({ secret, headers, body }) =>
    accepted(() => new Webhooks({ secret }).verify(body, headers['x-hub-signature-256'])),
}

const stripeWebhooks = new Stripe('sk_test_none').webhooks

export const stripe = {
  library: 'stripe',
  sign: (secret, time, body, scheme) =>
    stripeWebhooks.generateTestHeaderString({ secret, timestamp: time, payload: body, ...(scheme && { scheme }) }),
  judge: ({ secret, headers, body, now }) =>
    accepted(() => {
      stripeWebhooks.constructEvent(body, headers['stripe-signature'], secret, 300, undefined, now * 1000)
    }),
}

export const shopify = {
  library: '@shopify/shopify-api',
  sign: (secret, body) => createSHA256HMAC(secret, body),
  judge: ({ secret, headers, body }) =>
    accepted(async () => {
      const shopify = shopifyApi({
        apiKey: 'key',
        apiSecretKey: secret,
        apiVersion: '2026-07',
        hostName: 'app.example.com',
        isEmbeddedApp: false,
        logger: { level: LogSeverity.Error },
      })
      const { valid } = await shopify.webhooks.validate({ rawBody: body, rawRequest: { headers, url: '/' } })
      return valid
    }),
}

export const slackEvents = {
  library: '@slack/bolt',
  // The library has no function that signs.
  sign: (secret, time, body) => `v0=${createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex')}`,
  judge: ({ secret, headers, body, now }) =>
    accepted(() => {
      slack.verifySlackRequest({ signingSecret: secret, headers, body, nowMilliseconds: now * 1000 })
    }),
}

/** Of a generic sender there is no library: what it does is written out with Node's own cryptography. */
export const generic = {
  library: 'node:crypto',
  sign: (secret, { algorithm, encoding, prefix }, body) =>
    prefix + createHmac(algorithm, secret).update(body).digest(encoding),
  judge: ({ secret, signature, headers, body }) => {
    const sent = headers[signature.header] ?? ''
    const made = generic.sign(secret, signature, body)
    // Letters of hexadecimal digits may be written either way.
    const cut = signature.prefix.length
    const same = (text) => (signature.encoding === 'hex' ? text.slice(0, cut) + text.slice(cut).toLowerCase() : text)
    return Promise.resolve(same(sent) === made)
  },
}
