import { Flags } from '@oclif/core'
import { commonFlags, progressFlags, registryFlags } from './base-command.js'
import { cacheFlags, fileFlags, platformFlag, transferFlags, uploadFlags } from './image-flags.js'

/** The flags of `copy`. */
export const copyFlags = {
  ...commonFlags,
  ...transferFlags,
  ...uploadFlags,
  ...fileFlags,
  ...cacheFlags,
  ...progressFlags,
  ...registryFlags,
  platform: platformFlag({
    multiple: true,
    multipleNonGreedy: true,
    description: "Copy this platform's image; given several times, a new index of just these",
  }),
  referrers: Flags.boolean({
    description: 'Copy signatures, SBOMs and attestations too, those of each platform included',
  }),
  format: Flags.option({
    options: ['docker-archive', 'oci-archive', 'oci', 'dir'] as const,
    description: 'What to write to a path (default: docker-archive for a file, oci for a folder)',
  })(),
  'no-overwrite': Flags.boolean({
    description: 'Refuse a tag that stands for another image at the destination',
  }),
  recheck: Flags.boolean({ description: 'Look for each blob although the manifest is there' }),
  strict: Flags.boolean({
    description: 'Refuse an index of which the file lacks a part, instead of leaving it out',
  }),
  'check-tag': Flags.boolean({
    description: 'Refuse a NAME:TAG@DIGEST whose tag has moved since, instead of a warning',
  }),
  'all-tags': Flags.boolean({
    description: 'Copy every tag of a repository; SOURCE and DEST name no tag',
    exclusive: ['image', 'digest-file'],
  }),
  include: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'GLOB',
    dependsOn: ['all-tags'],
    description: 'Copy only the tags that this matches: *, ?, [a-z]; may be given again',
  }),
  exclude: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'GLOB',
    dependsOn: ['all-tags'],
    description: 'Leave out the tags that this matches; may be given again',
  }),
  'dry-run': Flags.boolean({ description: 'Say what would be copied, and copy nothing' }),
  'digest-file': Flags.string({ helpValue: 'FILE', description: 'Write the digest to a file' }),
}
