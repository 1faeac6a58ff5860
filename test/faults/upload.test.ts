import { expect } from 'vitest'
import { selfSigned } from '../support/certificates.js'
import { UPLOAD_FAULTS } from '../support/faults/upload.js'
import { missingTool } from '../support/tools.js'
import { network, putLayerRoute, ROUTES, type Row, testMatrix } from './matrix.js'
import { LARGE_IMAGE, type Outcome, type Verb } from './transfer.js'

const verbs: readonly Verb[] = ['push', 'copy']
const { startUpload, putLayer, patchBlob, uploadStatus, putManifest, putBlob } = ROUTES
const TLS = missingTool('openssl') === undefined ? await selfSigned() : undefined
if (TLS === undefined) console.warn('upload/location-http is left out: there is no openssl')

/** The layer has to go up in chunks. */
const chunked = { route: putLayer, call: 1, fault: UPLOAD_FAULTS['early-413'] }
/** The upload of the layer breaks off in the middle. */
const cut = { route: putLayer, call: 1, fault: UPLOAD_FAULTS['body-cut'] }

const locations: Row[] = (
  ['location-relative', 'location-without-scheme', 'location-absolute', 'location-other-port'] as const
).map(name => ({
  fault: `upload/${name}`,
  when: 'always',
  verbs,
  rules: [{ route: startUpload, fault: UPLOAD_FAULTS[name] }],
  expected: 'done',
}))

const inChunks: Row[] = (
  ['location-changing', 'range-off-by-one', 'range-with-unit', 'range-0-0', 'range-0--1'] as const
).flatMap((name): Row[] => {
  const fault = UPLOAD_FAULTS[name]
  const common = { fault: `upload/${name}`, verbs, expected: 'done' } as const
  return [
    { ...common, when: 'after each chunk', rules: [chunked, { route: patchBlob, fault }] },
    {
      ...common,
      when: 'asked after a cut',
      rules: [cut, { route: uploadStatus, fault }, { route: patchBlob, fault }],
    },
  ]
})

const chunkAnswers: Row[] = (['patch-200', 'patch-201', 'patch-204'] as const).map(name => ({
  fault: `upload/${name}`,
  when: 'after each chunk',
  verbs,
  rules: [chunked, { route: patchBlob, fault: UPLOAD_FAULTS[name] }],
  expected: 'done',
  also: ({ lines }) => expect(lines.some(line => patchBlob.test(line))).toBe(true),
}))

const large = { image: LARGE_IMAGE, registry: { tokens: {} } }
const putLarge = putLayerRoute(LARGE_IMAGE)
const sentTwice = ({ lines }: Outcome) => expect(lines.filter(line => putLarge.test(line))).toHaveLength(2)

testMatrix('upload', [
  ...locations,
  ...(TLS === undefined
    ? []
    : [
        {
          fault: 'upload/location-http',
          when: 'a registry behind TLS, always',
          verbs,
          rules: [{ route: startUpload, fault: UPLOAD_FAULTS['location-http'] }],
          options: { registry: { certificate: TLS } },
          expected: 'done',
        } as const,
      ]),
  {
    fault: 'upload/location-missing',
    when: 'always',
    verbs,
    rules: [{ route: startUpload, fault: UPLOAD_FAULTS['location-missing'] }],
    expected: network('bad-location', /answered 202: it has no Location to send the bytes to/),
  },
  ...inChunks,
  ...chunkAnswers,
  {
    fault: 'upload/put-reply-lost',
    when: 'of every blob',
    verbs,
    rules: [{ route: putBlob, fault: UPLOAD_FAULTS['put-reply-lost'] }],
    expected: 'done',
    // It is looked for, and not sent again.
    also: ({ lines }) => expect(lines.filter(line => putLayer.test(line))).toHaveLength(1),
  },
  {
    fault: 'upload/put-reply-lost',
    when: 'of the manifest, once',
    verbs,
    rules: [{ route: putManifest, call: 1, fault: UPLOAD_FAULTS['put-reply-lost'] }],
    expected: 'done',
  },
  {
    fault: 'upload/body-cut',
    when: 'once',
    verbs,
    rules: [cut],
    expected: 'done',
  },
  {
    fault: 'upload/upload-forgotten',
    when: 'PUT of the layer, once',
    verbs,
    rules: [{ route: putLayer, call: 1, fault: UPLOAD_FAULTS['upload-forgotten'] }],
    expected: 'done',
  },
  {
    fault: 'upload/upload-forgotten',
    when: 'between chunks, once',
    verbs,
    rules: [chunked, { route: patchBlob, call: 1, fault: UPLOAD_FAULTS['upload-forgotten'] }],
    expected: 'done',
  },
  {
    fault: 'upload/upload-forgotten',
    when: 'asked after a cut',
    verbs,
    rules: [cut, { route: uploadStatus, fault: UPLOAD_FAULTS['upload-forgotten'] }],
    expected: 'done',
  },
  {
    fault: 'upload/upload-forgotten',
    when: 'always',
    verbs,
    rules: [{ route: putLayer, fault: UPLOAD_FAULTS['upload-forgotten'] }],
    expected: { kind: 'not-found', code: 'not-found', says: /the upload was not found/ },
  },
  {
    fault: 'upload/early-401',
    when: 'once',
    verbs,
    rules: [{ route: putLarge, call: 1, fault: UPLOAD_FAULTS['early-401'] }],
    options: large,
    expected: 'done',
    also: sentTwice,
  },
  {
    fault: 'upload/early-413',
    when: 'once',
    verbs,
    rules: [{ route: putLarge, call: 1, fault: UPLOAD_FAULTS['early-413'] }],
    options: large,
    expected: 'done',
    also: sentTwice,
  },
])
