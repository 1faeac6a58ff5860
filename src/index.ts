// The public API: everything that the command line uses, and what a program needs to do the same.
export { openArchive, openArchiveStream } from './archive/open-archive.js'
export { standardInput } from './archive/pipe-stream.js'
export type { LayerCompression } from './compression/layer-compression.js'
export { type DockerSettings, readDockerSettings } from './config/docker-settings.js'
export { proxiesFrom } from './config/proxies.js'
export { readRegistriesConf } from './config/registries-conf.js'
export { Routes } from './config/routes.js'
export { createTrust, type Trust, type TrustOptions } from './config/trust.js'
export { ContentError } from './content/content-error.js'
export { createContext } from './content/context.js'
export type { Descriptor, Platform } from './content/descriptor.js'
export { type Digest, digestOf, isDigest, parseDigest, shortDigest } from './content/digest.js'
export type { BlobResult, CopyEvent, LayerProgressItem } from './content/events.js'
export type { ImageEntry, ImageFile } from './content/image-file.js'
export { type ImageManifest, type Index, parseJson, parseManifest } from './content/manifest.js'
export { isIndexType, MediaType } from './content/media-types.js'
export { MemoryCollection } from './content/memory-collection.js'
export { MemoryStore } from './content/memory-store.js'
export { formatPlatform, hostPlatform, parsePlatform } from './content/platform.js'
export { printable } from './content/printable.js'
export {
  familiarName,
  formatReference,
  isTag,
  parseReference,
  type Reference,
  repositoryOf,
  tagOrDigest,
} from './content/reference.js'
export type {
  BlobContent,
  Context,
  ImageContents,
  ListOptions,
  RawManifest,
  RepositoryCollection,
  Sink,
  Source,
  Store,
  StoredLayer,
} from './content/store.js'
export { type Conversion, ConvertedSource } from './convert/converted-source.js'
export { type CopyOptions, type CopyResult, type CopyTarget, copy, type TargetResult } from './copy/copy.js'
export { platformRoot } from './copy/platform-root.js'
export { type PlatformSubset, platformSubset } from './copy/platform-subset.js'
export { ConfigFileStore, type ConfigFileStoreOptions } from './credentials/config-file-store.js'
export {
  type CredentialChain,
  createCredentialLookup,
  type PlaceOutcome,
} from './credentials/credential-lookup.js'
export type { PlaceEntry } from './credentials/credential-place.js'
export { type CredentialStore, type StoredCredential, TOKEN_USER } from './credentials/credential-store.js'
export { type HelperOptions, type HelperOutcome, serveHelper } from './credentials/helper-protocol.js'
export { type KeychainOptions, openKeychain } from './credentials/keychain.js'
export type { DockerArchiveOptions } from './docker-archive/docker-archive-source.js'
export {
  type Diagnosis,
  type DiagnosisOptions,
  type DiagnosisTarget,
  diagnose,
  diagnosisTarget,
} from './doctor/diagnose.js'
export type { CheckFinding, CheckName } from './doctor/finding.js'
export { type ErrorKind, InterruptedError, messageOf, RegctlError } from './errors.js'
export { type ExportOptions, type ExportResult, exportImage } from './export/export-image.js'
export { cacheFolder } from './files/cache-folder.js'
export { explainDiskError } from './files/disk-error.js'
export { LayoutCollection } from './layout/layout-collection.js'
export { LayoutStore } from './layout/layout-store.js'
export {
  type AuthEntry,
  type AuthExplanation,
  type AuthList,
  explainAuth,
  listAuthEntries,
} from './login/auth-entries.js'
export { type ImportedEntry, type ImportOptions, importLogins } from './login/auth-import.js'
export { type LoginOptions, type LoginResult, login } from './login/login.js'
export { type LoginRegistry, parseLoginRegistry } from './login/login-registry.js'
export { type LogoutOptions, type LogoutResult, logout, logoutAll } from './login/logout.js'
export { openStore, openStores, type StoreKind } from './login/open-stores.js'
export { describeRoot } from './lookup/describe-root.js'
export { type Inspection, type InspectOptions, inspect } from './lookup/inspect.js'
export type { Healthcheck, HistoryEntry, RunConfig } from './lookup/inspect-config.js'
export type { IndexEntry } from './lookup/inspect-entries.js'
export type { InspectedArtifact, InspectedImage, InspectedLayer } from './lookup/inspect-image.js'
export { type ListedImage, listImages } from './lookup/list-images.js'
export { type OpenedBlob, openBlobOf } from './lookup/open-blob.js'
export { type RawConfig, readConfig } from './lookup/read-config.js'
export { nameOfType } from './lookup/referrer-kind.js'
export {
  type FlatReferrer,
  flattenReferrers,
  type ReferrerSelection,
  selectReferrers,
} from './lookup/referrer-selection.js'
export {
  type ReferrerNode,
  type ReferrerTreeOptions,
  readReferrerTree,
  type SubjectNode,
} from './lookup/referrer-tree.js'
export { describeLocator } from './open/archive-names.js'
export { selectImage } from './open/image-selection.js'
export {
  type FileFormat,
  type LocalLocator,
  type Locator,
  parseLocalLocator,
  parseLocator,
} from './open/location.js'
export { type OpenOptions, openImageFile } from './open/open-image-file.js'
export { formatFor, type OpenedSink, openSink, type SinkOptions } from './open/open-sink.js'
export { labelOf, type OpenedSource, openSource, type SourceOptions } from './open/open-source.js'
export { refuseTerminal, writeOutput } from './open/output-file.js'
export { parseRegistry } from './open/parse-registry.js'
export { RegistryClient } from './registry/client.js'
export { type DeleteOptions, type DeleteResult, deleteImages } from './tags/delete.js'
export { type Deletion, deletionName, type TagsOfDigest } from './tags/deletion.js'
export { chooseNames, type ListSelection, listTags, type TagListOptions } from './tags/list-tags.js'
export { type TagOptions, type TagResult, tagImage } from './tags/tag.js'
export type { TagName } from './tags/tag-names.js'
export { type NameSelection, nameFilter } from './tags/tag-patterns.js'
export type { Destination } from './transfer/copy-destinations.js'
export { ImageCopy, type ImageCopyOptions, type LocatorCopyOptions } from './transfer/copy-image.js'
export { RepositoryCopy, type RepositoryCopyOptions, type TagCopyResult } from './transfer/copy-repository.js'
export type { ImageCopyResult, RootSelection } from './transfer/copy-root.js'
export {
  type BegunPull,
  type PulledImage,
  type PullObserver,
  type PullOptions,
  pull,
} from './transfer/pull.js'
export { PullError, type PullPlan, type PullPlanOptions, planPull } from './transfer/pull-plan.js'
export {
  type ImagePush,
  type PushResult,
  type PushSelection,
  type PushTarget,
  planPush,
  planPushAll,
  push,
  pushAhead,
  pushedDigest,
} from './transfer/push.js'
export { PushAhead } from './transfer/push-ahead.js'
export { type NamedImage, servedImages } from './transfer/served-images.js'
export { type Comparison, compareImages, type Difference, type NamedRoot } from './verify/compare-images.js'
export { type OpenedImages, openImages } from './verify/open-images.js'
export {
  type Finding,
  ImageVerifier,
  type Verified,
  type VerifyOptions,
} from './verify/verify-image.js'
export { verifyRoots } from './verify/verify-roots.js'
