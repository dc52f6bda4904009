// The requests: good ones of each sender, and the same with something changed.
import * as senders from './senders.mjs'

const NOW = 1_710_341_906
const BODIES = {
  'an event': '{"id":"evt_1","type":"user.created","data":{"name":"Jane"}}',
  'white space and line ends': '{\r\n  "id" : "evt_1",\n\t"type":"user.created"  }\n',
  'letters beyond ASCII': '{"id":"evt_1","type":"user.created","data":{"name":"Zo\u00eb \u4e16\u754c \ud83d\ude80 \\u00e9"}}',
}
const BODY = BODIES['an event']

const without = (headers, name) => Object.fromEntries(Object.entries(headers).filter(([one]) => one !== name))
const flipped = (text, index) => text.slice(0, index) + (text[index] === '0' ? '1' : '0') + text.slice(index + 1)
const upper = (prefix, text) => prefix + text.slice(prefix.length).toUpperCase()

/** What every scheme must refuse, in the same words: the body, the secret or the signature is another. */
function tampered(good, name, otherSecret) {
  const signature = good.headers[name]
  const last = signature.length - 4
  return [
    ['a body with one letter changed', { ...good, body: good.body.replace('Jane', 'Jame') }],
    ['a body with a space more', { ...good, body: `${good.body} ` }],
    ['a body written anew', { ...good, body: JSON.stringify(JSON.parse(good.body), null, 1) }],
    ['another secret', { ...good, secret: otherSecret }],
    ['a signature with one digit changed', { ...good, headers: { ...good.headers, [name]: flipped(signature, last) } }],
    ['a signature cut off', { ...good, headers: { ...good.headers, [name]: signature.slice(0, last) } }],
    ['an empty signature', { ...good, headers: { ...good.headers, [name]: '' } }],
    ...Object.keys(good.headers).map((one) => [`no ${one}`, { ...good, headers: without(good.headers, one) }]),
  ]
}

function docebo() {
  const login = { username: 'docebo', password: 'correct horse: battery' }
  const sent = (authorization) => ({ login, headers: { authorization }, body: BODY })
  const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`
  const good = senders.docebo.sign(login)
  const foreign = { username: 'Zo\u00eb', password: 'p\u00e4ssw\u00f6rd' }
  return [
    ['the login', sent(good)],
    ['the scheme in small letters', sent(good.replace('Basic', 'basic'))],
    ['letters beyond ASCII', { ...sent(senders.docebo.sign(foreign)), login: foreign }],
    ['no authorization', { ...sent(''), headers: {} }],
    ['another password', sent(basic('docebo:correct horse: batterY'))],
    ['a longer password', sent(basic('docebo:correct horse: battery '))],
    ['a shorter password', sent(basic('docebo:correct horse'))],
    ['no password', sent(basic('docebo:'))],
    ['another user', sent(basic('Docebo:correct horse: battery'))],
    ['no user', sent(basic(':correct horse: battery'))],
    ['no colon', sent(basic('docebo'))],
    ['user and password swapped', sent(basic('correct horse: battery:docebo'))],
    ['a bearer token', sent(good.replace('Basic', 'Bearer'))],
    ['no base64', sent('Basic docebo:correct horse: battery')],
    ['nothing after the scheme', sent('Basic')],
  ].map(([name, vector]) => ({ name, kind: 'docebo', judge: senders.docebo, ...vector }))
}

function standardFamily(kind, judge, family) {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const other = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
  const [id, time, signature] = ['id', 'timestamp', 'signature'].map((name) => `${family}-${name}`)
  const sent = (body = BODY, at = NOW, signedAt = at) => ({
    secret,
    now: NOW,
    headers: { [id]: 'msg_1', [time]: `${at}`, [signature]: judge.sign(secret, 'msg_1', signedAt, body) },
    body,
  })
  const good = sent()
  const signed = (text) => ({ ...good, headers: { ...good.headers, [signature]: text } })
  const own = good.headers[signature]
  const foreign = judge.sign(other, 'msg_1', NOW, BODY)
  return [
    ...Object.entries(BODIES).map(([name, body]) => [name, sent(body)]),
    ['a secret without its prefix', { ...good, secret: secret.slice(6) }],
    ['several signatures, the last good', signed(`${foreign} ${own}`)],
    ['several signatures, the first good', signed(`${own} ${foreign}`)],
    ['several signatures, none good', signed(`${foreign} ${foreign}`)],
    ['a good signature among those of other versions', signed(`v1a,${own.slice(3)} v2,x ${own}`)],
    ['a signature under another version', signed(own.replace('v1,', 'v2,'))],
    ['a signature under the asymmetric version', signed(own.replace('v1,', 'v1a,'))],
    ['a signature without a version', signed(own.slice(3))],
    ['another id', { ...good, headers: { ...good.headers, [id]: 'msg_2' } }],
    ['five minutes old', sent(BODY, NOW - 300)],
    ['more than five minutes old', sent(BODY, NOW - 301)],
    ['five minutes ahead', sent(BODY, NOW + 300)],
    ['more than five minutes ahead', sent(BODY, NOW + 301)],
    ['a time that is not the signed one', sent(BODY, NOW, NOW - 1)],
    ['a time that is none', { ...good, headers: { ...good.headers, [time]: 'now' } }],
    ['an empty time', { ...good, headers: { ...good.headers, [time]: '' } }],
    ...tampered(good, signature, other),
  ].map(([name, vector]) => ({ name: `${family} headers: ${name}`, kind, judge, ...vector }))
}

function github() {
  const name = 'x-hub-signature-256'
  const secret = "It's a Secret to Everybody"
  return Promise.all(
    Object.entries(BODIES).map(async ([name, body]) => [name, await senders.github.sign(secret, body), body]),
  ).then((signed) => {
    const good = { secret, headers: { [name]: signed[0][1] }, body: BODY }
    const own = good.headers[name]
    const changed = (text) => ({ ...good, headers: { [name]: text } })
    const all = [
      ...signed.map(([title, signature, body]) => [title, { secret, headers: { [name]: signature }, body }]),
      ['a signature without its prefix', changed(own.slice(7))],
      ['a signature under another prefix', changed(own.replace('sha256', 'sha1'))],
      ['only the prefix', changed('sha256=')],
      ['a signature in capital letters', changed(upper('sha256=', own))],
      ...tampered(good, name, "It's another Secret"),
    ]
    const signature = { header: name, algorithm: 'sha256', encoding: 'hex', prefix: 'sha256=' }
    // The same by the settings that a generic source would have; it takes capital letters, too.
    const likeIt = all.filter(([title]) => title !== 'a signature in capital letters')
    return [
      ...all.map(([name, vector]) => ({ name, kind: 'github', judge: senders.github, ...vector })),
      ...likeIt.map(([name, vector]) => ({
        name: `GitHub's: ${name}`,
        kind: 'generic',
        judge: senders.github,
        signature,
        ...vector,
      })),
    ]
  })
}

function stripe() {
  const name = 'stripe-signature'
  const secret = 'whsec_t3stS3cr3t'
  const other = 'whsec_0th3rS3cr3t'
  const sent = (body = BODY, at = NOW) => ({
    secret,
    now: NOW,
    headers: { [name]: senders.stripe.sign(secret, at, body) },
    body,
  })
  const good = sent()
  const own = good.headers[name]
  const changed = (text) => ({ ...good, headers: { [name]: text } })
  const foreign = senders.stripe.sign(other, NOW, BODY).split(',')[1]
  return [
    ...Object.entries(BODIES).map(([name, body]) => [name, sent(body)]),
    ['several signatures, the last good', changed(own.replace(',', `,${foreign},`))],
    ['several signatures, the first good', changed(`${own},${foreign}`)],
    ['several signatures, none good', changed(`t=${NOW},${foreign},${foreign}`)],
    ['a signature for tests beside the real one', changed(`${own},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39`)],
    ['a good signature under the scheme for tests only', changed(senders.stripe.sign(secret, NOW, BODY, 'v0'))],
    ['a signature in capital letters', changed(`${own.split('v1=')[0]}v1=${own.split('v1=')[1].toUpperCase()}`)],
    ['no time', changed(own.split(',')[1])],
    ['no signature', changed(own.split(',')[0])],
    ['a time that is not the signed one', changed(own.replace(`t=${NOW}`, `t=${NOW - 1}`))],
    ['a time that is none', changed(own.replace(`t=${NOW}`, 't=now'))],
    ['five minutes old', sent(BODY, NOW - 300)],
    ['more than five minutes old', sent(BODY, NOW - 301)],
    ['five minutes ahead', sent(BODY, NOW + 300)],
    ['more than five minutes ahead', { ...sent(BODY, NOW + 301), stricter: 'a time ahead of ours is refused, too' }],
    ...tampered(good, name, other),
  ].map(([name, vector]) => ({ name, kind: 'stripe', judge: senders.stripe, ...vector }))
}

async function shopify() {
  const name = 'x-shopify-hmac-sha256'
  const secret = "hush, an app's secret"
  const sent = async (body) => ({
    secret,
    headers: {
      [name]: await senders.shopify.sign(secret, body),
      'x-shopify-api-version': '2026-07',
      'x-shopify-shop-domain': 'example.myshopify.com',
      'x-shopify-topic': 'orders/create',
      'x-shopify-webhook-id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
    },
    body,
  })
  const good = await sent(BODY)
  const own = good.headers[name]
  const changed = (text) => ({ ...good, headers: { ...good.headers, [name]: text } })
  const bodies = await Promise.all(Object.entries(BODIES).map(async ([name, body]) => [name, await sent(body)]))
  const all = [
    ...bodies,
    ['a signature in hexadecimal digits', changed(Buffer.from(own, 'base64').toString('hex'))],
    ['a signature without its padding', changed(own.replace('=', ''))],
    // Which of the other headers must be there is said when the request is read: none of them is signed.
    ...tampered(good, name, "hush, another app's secret").filter(
      ([title]) => !title.startsWith('no x-') || title === `no ${name}`,
    ),
  ]
  const signature = { header: name, algorithm: 'sha256', encoding: 'base64', prefix: '' }
  return [
    ...all.map(([name, vector]) => ({ name, kind: 'shopify', judge: senders.shopify, ...vector })),
    ...all.map(([name, vector]) => ({
      name: `Shopify's: ${name}`,
      kind: 'generic',
      judge: senders.shopify,
      signature,
      ...vector,
    })),
  ]
}

function slack() {
  const [name, time] = ['x-slack-signature', 'x-slack-request-timestamp']
  const secret = '8f742231b10e8888abcd99yyyzzz85a5'
  const sent = (body = BODY, at = NOW, signedAt = at) => ({
    secret,
    now: NOW,
    headers: { [name]: senders.slackEvents.sign(secret, signedAt, body), [time]: `${at}` },
    body,
  })
  const good = sent()
  const own = good.headers[name]
  const changed = (text) => ({ ...good, headers: { ...good.headers, [name]: text } })
  return [
    ...Object.entries(BODIES).map(([name, body]) => [name, sent(body)]),
    ['a signature under another version', changed(own.replace('v0', 'v1'))],
    ['a signature without a version', changed(own.slice(3))],
    ['a signature in capital letters', changed(upper('v0=', own))],
    ['a time that is not the signed one', sent(BODY, NOW, NOW - 1)],
    ['a time that is none', { ...good, headers: { ...good.headers, [time]: 'now' } }],
    ['five minutes old', sent(BODY, NOW - 300)],
    ['more than five minutes old', sent(BODY, NOW - 301)],
    ['five minutes ahead', sent(BODY, NOW + 300)],
    [
      'more than five minutes ahead',
      { ...sent(BODY, NOW + 301), stricter: "what Slack documents: more than five minutes off, in either direction" },
    ],
    ...tampered(good, name, '0e8888abcd99yyyzzz85a58f742231b1'),
  ].map(([name, vector]) => ({ name, kind: 'slack', judge: senders.slackEvents, ...vector }))
}

function generic() {
  const secret = 'a secret of any form'
  return ['sha1', 'sha256', 'sha512'].flatMap((algorithm) =>
    ['hex', 'base64'].flatMap((encoding) =>
      ['', `${algorithm}=`].flatMap((prefix) => {
        const signature = { header: 'x-signature', algorithm, encoding, prefix }
        const own = senders.generic.sign(secret, signature, BODY)
        const good = { secret, signature, headers: { 'x-signature': own }, body: BODY }
        return [
          ['an event', good],
          ['a signature in capital letters', { ...good, headers: { 'x-signature': upper(prefix, own) } }],
          ['a signature under a prefix that is not its own', { ...good, headers: { 'x-signature': `md5=${own}` } }],
          ['only the prefix', { ...good, headers: { 'x-signature': prefix } }],
          ...tampered(good, 'x-signature', 'another secret'),
        ].map(([name, vector]) => ({
          name: `${algorithm}, ${encoding}, prefix "${prefix}": ${name}`,
          kind: 'generic',
          judge: senders.generic,
          ...vector,
        }))
      }),
    ),
  )
}

/** Every request, with what its sender's library says of it. */
export async function vectors() {
  const all = [
    ...docebo(),
    ...generic(),
    ...(await github()),
    ...(await shopify()),
    ...slack(),
    ...standardFamily('standard', senders.standard, 'webhook'),
    ...standardFamily('standard', senders.svix, 'svix'),
    ...stripe(),
  ]
  const order = ['docebo', 'generic', 'github', 'shopify', 'slack', 'standard', 'stripe']
  all.sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind))
  return Promise.all(
    all.map(({ name, kind, judge, stricter, ...request }) => ({ name, kind, judge, stricter, request })),
  )
}

export { NOW }
