/**
 * The one entry to the signed store: opening it on a node, and what a publisher does with it. Everything that is not
 * named here is nobody else's business.
 */
export type { Deployment, DeploymentManifest } from './manifest/deployment-manifest.ts';
export type { Datatype, ModelSignature, TensorSignature } from './manifest/signature.ts';
export type { Stage } from './manifest/stage.ts';
export type { StoreSnapshot } from './manifest/store-snapshot.ts';
export type { ArtifactReference, VersionMetadata } from './manifest/version-metadata.ts';
export type { StoreEvent, StoreOptions, VerifiedStore } from './storage/open-store.ts';
export type { StoreErrorCode } from './store-error.ts';
export type { StoreCheck } from './trust/check.ts';
export type { DeployOptions, DeployResult } from './lifecycle/deploy-model.ts';
export type { InitOptions, InitResult } from './lifecycle/init-store.ts';
export type { PublishOptions, PublishResult } from './lifecycle/publish-model.ts';
export type { StatusOptions, StoreStatus } from './lifecycle/read-status.ts';
export { deployModel } from './lifecycle/deploy-model.ts';
export { initStore } from './lifecycle/init-store.ts';
export { publishModel } from './lifecycle/publish-model.ts';
export { readStatus } from './lifecycle/read-status.ts';
export { openStore } from './storage/open-store.ts';
export { StoreError } from './store-error.ts';
