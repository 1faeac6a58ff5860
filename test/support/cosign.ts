import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { peer, tryPeer } from './peers.js'
import type { RunResult } from './run.js'
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.js'

/** Where cosign keeps what it says of an image: under tags made of the digest, or as referrers of it. */
export type SignatureForm = 'digest tags' | 'referrers'

/** cosign with a key pair of its own, and without the services that it asks by default. Disposing removes the keys. */
export class Cosign implements AsyncDisposable {
  readonly #folder: TemporaryFolder

  private constructor(folder: TemporaryFolder) {
    this.#folder = folder
  }

  /** @throws Error when there is no cosign: ask `missingPeer` before */
  static async open(): Promise<Cosign> {
    const folder = await temporaryFolder()
    await peer('cosign', ['generate-key-pair'], { cwd: folder.path, env: NO_PASSWORD })
    return new Cosign(folder)
  }

  /** Signs what a reference with a digest names, and with an index each of its manifests. */
  async sign(reference: string, form: SignatureForm): Promise<void> {
    await this.#write(['sign', '--recursive', ...FLAGS[form], reference])
  }

  /** Attests a statement of what a reference with a digest names. */
  async attest(reference: string, statement: unknown, form: SignatureForm): Promise<void> {
    const predicate = join(this.#folder.path, 'predicate.json')
    await writeFile(predicate, JSON.stringify(statement))
    await this.#write(['attest', '--predicate', predicate, '--type', 'custom', ...FLAGS[form], reference])
  }

  /** Checks the signature of what is behind a reference. It fails by its exit code. */
  async verify(reference: string): Promise<RunResult> {
    return await this.#check(['verify', reference])
  }

  /** As {@link verify}, for the attestation, which comes on standard output. */
  async verifyAttestation(reference: string): Promise<RunResult> {
    return await this.#check(['verify-attestation', '--type', 'custom', reference])
  }

  /** Saves an image with what is said of it by digest tags, into a folder that is an OCI layout. */
  async save(reference: string, folder: string): Promise<void> {
    await peer('cosign', ['save', '--allow-http-registry', '--dir', folder, reference])
  }

  async #write(parameters: readonly string[]): Promise<void> {
    // The transparency log, and the list of services to ask, are out on the Internet.
    const flags = ['--key', 'cosign.key', '--tlog-upload=false', '--use-signing-config=false', '--yes']
    await peer('cosign', [...parameters, ...flags, '--allow-http-registry'], {
      cwd: this.#folder.path,
      env: NO_PASSWORD,
    })
  }

  async #check(parameters: readonly string[]): Promise<RunResult> {
    const flags = ['--key', 'cosign.pub', '--insecure-ignore-tlog', '--allow-http-registry']
    return await tryPeer('cosign', [...parameters, ...flags], { cwd: this.#folder.path })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]()
  }
}

/** Of the key. */
const NO_PASSWORD = { COSIGN_PASSWORD: '' }

/** Both are told, whatever this cosign's default is. */
const FLAGS: Record<SignatureForm, readonly string[]> = {
  'digest tags': ['--new-bundle-format=false'],
  referrers: ['--new-bundle-format=true'],
}
