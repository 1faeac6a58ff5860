import {
  formatPlatform,
  hostPlatform,
  type IndexEntry,
  type InspectedArtifact,
  type InspectedImage,
  type Inspection,
  MediaType,
  nameOfType,
} from '../index.js'
import { configFields, describeDate, describeSize, type Field, fieldLines, pairs } from './inspect-fields.js'
import { fileLines, layerLines, type ScreenShape } from './inspect-layers.js'
import { platformLines } from './inspect-platforms.js'
import { formatBytes } from './progress/bytes.js'

/** What the screen says besides what was found. */
export interface ScreenOptions extends ScreenShape {
  /** The image's names: of one in a registry, its reference. */
  names: readonly string[]
  /** The locator of a file or folder. Absent for a registry. */
  file?: string
  /** Which image of the file was asked for. */
  image?: string | undefined
  now: Date
}

/** The width of the labels above: a digest fits beside them in 80 columns. */
const LABELS = 9

/** What people see of an image: blocks of lines with blank lines between. It depends on nothing but its parameters. */
export function inspectScreen(found: Inspection, options: ScreenOptions): string {
  const { image, artifact, platforms } = found
  const isIndex = platforms !== undefined
  const blocks = [
    fieldLines(
      isIndex ? rootFields(found, options) : [...rootFields(found, options), ...detailFields(found, options)],
      options,
      LABELS,
    ),
    ...(isIndex ? [platformLines(platforms, (image ?? artifact)?.digest, options)] : []),
    ...(isIndex ? [fieldLines([['Annotations', pairs(found.annotations)]], options)] : []),
    ...(isIndex ? [chosenLines(found, options)] : []),
    image === undefined ? [] : fieldLines(configFields(image), options),
    image === undefined ? [] : layerLines(image, options),
    artifact === undefined ? [] : fieldLines([['Annotations', pairs(artifact.annotations)]], options),
    artifact === undefined ? [] : fileLines(artifact.layers, options),
  ]
  const text = blocks.filter(lines => lines.length > 0).map(lines => lines.join('\n'))
  return `${text.join('\n\n')}\n`
}

function rootFields(found: Inspection, { names, file, image }: ScreenOptions): Field[] {
  const { digest, mediaType, artifactType, subject, artifact } = found
  const chosen = image === undefined ? '' : ` --image '${image}'`
  const later =
    file === undefined || file === '-'
      ? 'known once compressed'
      : `known once compressed: regctl digest ${file}${chosen}`
  return [
    ['Name', names],
    ['File', [file]],
    ['Digest', [digest ?? later]],
    ['Type', [mediaType]],
    ['Artifact', [artifact === undefined ? artifactType : undefined]],
    ['Subject', [subject?.digest]],
  ]
}

/** The image or artifact that was chosen of an index, or that there is none. */
function chosenLines(found: Inspection, options: ScreenOptions): string[] {
  const { image, artifact, platforms = [] } = found
  if (image === undefined && artifact === undefined) {
    const host = formatPlatform(hostPlatform())
    return hasImages(platforms) ? [`No image for ${host} here: choose one with --platform`] : []
  }
  return fieldLines(
    [['Digest', [(image ?? artifact)?.digest]], ...detailFields(found, options)],
    options,
    LABELS,
  )
}

function hasImages(entries: readonly IndexEntry[]): boolean {
  return entries.some(({ kind, platforms = [] }) => kind === 'image' || hasImages(platforms))
}

function detailFields({ image, artifact }: Inspection, options: ScreenOptions): Field[] {
  return [
    ...(image === undefined ? [] : imageFields(image, options)),
    ...(artifact === undefined ? [] : artifactFields(artifact)),
  ]
}

function imageFields(image: InspectedImage, { now }: ScreenOptions): Field[] {
  const { platform, created, author } = image
  const version = platform?.['os.version']
  return [
    ['ID', [image.id]],
    [
      'Platform',
      [platform && [formatPlatform(platform), version].filter(part => part !== undefined).join(' ')],
    ],
    ['Created', [describeDate(created, now)]],
    ['Author', [author]],
    ['Size', [describeSize(image)]],
  ]
}

function artifactFields({ artifactType, config, size }: InspectedArtifact): Field[] {
  const isEmpty = config.mediaType === MediaType.ociEmpty || config.mediaType === artifactType
  return [
    ['Artifact', [nameOfType(artifactType), artifactType]],
    ['Config', [isEmpty ? undefined : `${config.mediaType}, ${formatBytes(config.size)}`]],
    ['Size', [formatBytes(size)]],
  ]
}
