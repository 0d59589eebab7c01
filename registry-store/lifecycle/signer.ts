/**
 * What signs: files in a folder by default, but as well a key management service, a hardware token, an agent or a
 * command. Nothing else in the lifecycle knows which. A signer is asked for bytes and gives a signature back; the
 * private key never comes this way.
 */
import type { RoleKeys } from '../trust/role-keys.ts';

export interface Signer {
  /** Digest of the public key, lower-case hex: what metadata calls the key. */
  readonly keyId: string;
  /** The 32 bytes of the Ed25519 public key, lower-case hex. */
  readonly publicHex: string;
  /** Ed25519 over exactly these bytes: 64 bytes, lower-case hex. Rejects with a StoreError. */
  sign(bytes: Uint8Array): Promise<string>;
}

export interface SignerProvider {
  /**
   * Signers for keys of this role: as many as the threshold asks for, or all there are when they are fewer.
   * Whether that is enough is decided, and said, by the caller.
   */
  signersFor(keys: RoleKeys): Promise<readonly Signer[]>;
}

/** Gives the passphrase of a key file, which is named without folder and ending. */
export type PassphraseSource = (keyName: string) => Promise<string>;
