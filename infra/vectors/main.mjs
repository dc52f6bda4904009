// node main.mjs FILE [--adopt]: makes the requests, lets the libraries judge them, and compares with FILE or writes it.
import { readFileSync, writeFileSync } from 'node:fs'

import { NOW, vectors } from './vectors.mjs'

const [file, adopt] = process.argv.slice(2)
const versions = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies
const faults = []

async function written({ name, kind, judge, stricter, request }) {
  const judged = await judge.judge(request)
  // Refusing what a library takes needs a reason; taking what it refuses has none.
  if (stricter && !judged) faults.push(`${kind}: ${name}: the library refuses it, too`)
  const { library } = judge
  const { login, secret, signature, headers, body } = request
  return { name, kind, library, judged, accepted: judged && !stricter, stricter, login, secret, signature, headers, body }
}

const made = []
for (const vector of await vectors()) made.push(await written(vector))
const names = new Set(made.map(({ kind, name }) => `${kind}: ${name}`))
if (names.size !== made.length) faults.push('Two requests have the same name.')
for (const kind of new Set(made.map(({ kind }) => kind))) {
  for (const accepted of [true, false]) {
    if (!made.some((one) => one.kind === kind && one.accepted === accepted)) {
      faults.push(`${kind}: nothing is ${accepted ? 'accepted' : 'refused'}`)
    }
  }
}

if (adopt) {
  // One request a line, so that a difference shows what changed.
  const lines = made.map((vector) => `    ${JSON.stringify(vector)}`)
  const head = `  "libraries": ${JSON.stringify(versions)},\n  "now": ${NOW},`
  writeFileSync(file, `{\n${head}\n  "vectors": [\n${lines.join(',\n')}\n  ]\n}\n`)
  console.log(`${made.length} requests written to ${file}`)
} else {
  const committed = JSON.parse(readFileSync(file))
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other)
  if (!same(committed.libraries, versions)) faults.push('The libraries have other versions than those of the file.')
  if (committed.now !== NOW) faults.push('The file has another time.')
  const by = new Map(committed.vectors.map((vector) => [`${vector.kind}: ${vector.name}`, vector]))
  for (const vector of made) {
    const name = `${vector.kind}: ${vector.name}`
    if (!same(by.get(name), vector)) faults.push(`${name}: ${by.has(name) ? 'is another now' : 'is not in the file'}`)
    by.delete(name)
  }
  for (const name of by.keys()) faults.push(`${name}: is in the file only`)
  if (!faults.length) {
    const count = made.filter(({ accepted }) => accepted).length
    console.log(`${made.length} requests are as the libraries say: ${count} good, ${made.length - count} refused`)
  }
}
if (faults.length) {
  console.error(`${faults.join('\n')}\nAdopt what the libraries say, if it is meant to be so: infra/vectors/check --adopt`)
  process.exit(1)
}
