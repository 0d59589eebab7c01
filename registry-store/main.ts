/**
 * The one entry to the signed store: opening it on a node, what a publisher does with it, and the classes for pipelines
 * in TypeScript. Everything that is not named here is nobody else's business.
 */
export type { DeploymentManifest } from './manifest/deployment-manifest.ts';
export type {
  DeploymentChange,
  HistoryEvent,
  KeyChange,
  StageChange,
  StateChange,
} from './manifest/change.ts';
export type { Cohort, Cohorts, HeaderRule } from './manifest/cohorts.ts';
export type { DeploymentBatching } from './manifest/batching.ts';
export type { DeploymentCache } from './manifest/cache.ts';
export type { AutoScaling, Deployment, DeploymentResources } from './manifest/deployment.ts';
export type { Pipeline, PipelineModel, Wire } from './manifest/pipeline.ts';
export type { Datatype, ModelSignature, TensorSignature } from './manifest/signature.ts';
export type { StateDeclaration, StateTensor } from './manifest/state-tensor.ts';
export { declaredState, parseStateDeclaration, stateJson } from './manifest/state-tensor.ts';
export type { EntryStage, Stage } from './manifest/stage.ts';
export type { RolloutPlan, RolloutStep } from './manifest/rollout-plan.ts';
export type { StoreSnapshot } from './manifest/store-snapshot.ts';
export type { StoreState } from './manifest/store-state.ts';
export type { ArtifactReference, VersionMetadata } from './manifest/version-metadata.ts';
export type { StoreOptions } from './storage/open-store.ts';
export type { StoreEvent, VerifiedStore } from './storage/verified-store.ts';
export type { StoreCondition } from './storage/store-condition.ts';
export type { StoreErrorCode } from './store-error.ts';
export type { StoreCheck } from './trust/check.ts';
export type { RoleKeys } from './trust/role-keys.ts';
export type {
  DeploymentResult,
  ModelOptions,
  ScaleOptions,
  UndeployResult,
} from './lifecycle/change-deployment.ts';
export type {
  GrantKeyOptions,
  KeysResult,
  RevokeKeyOptions,
  RotateKeyOptions,
} from './lifecycle/change-keys.ts';
export type { GcOptions, GcReport } from './lifecycle/collect-garbage.ts';
export type { DeployOptions, DeployResult } from './lifecycle/deploy-model.ts';
export type { InitOptions, InitResult } from './lifecycle/init-store.ts';
export type { KeyFileInfo, KeyListing, ListKeysOptions, RoleKeysInfo } from './lifecycle/list-keys.ts';
export type { StageOptions, StageResult } from './lifecycle/move-stage.ts';
export type { PublishOptions, PublishResult } from './lifecycle/publish-model.ts';
export type { ChangeOptions, PublisherOptions, ReaderOptions } from './lifecycle/publisher-options.ts';
export type { PipelineModelRequest, PipelineRequest } from './lifecycle/plan-pipeline.ts';
export type { HistoryOptions } from './lifecycle/read-history.ts';
export type { StatusOptions, StoreStatus } from './lifecycle/read-status.ts';
export type { RefreshOptions, RefreshReport } from './lifecycle/refresh-store.ts';
export type { RollbackToOptions, RollbackToResult } from './lifecycle/rollback-to.ts';
export type { PassphraseSource, Signer, SignerProvider } from './lifecycle/signer.ts';
export type { UndeployOptions } from './lifecycle/undeploy-model.ts';
export type { VerifyOptions, VerifyProgress, VerifyReport } from './lifecycle/verify-store.ts';
export type { DeploymentConfigOptions } from './platform/deployment-config.ts';
export type {
  DeploymentInfo,
  PlatformState,
  ScaleConfig,
  UndeployReason,
} from './platform/deployment-platform.ts';
export type { ModelMetadataOptions } from './platform/model-metadata.ts';
export type { ModelFilter, RegisterOptions } from './platform/model-registry.ts';
export type { PredictOptions, Prediction, PredictionRows } from './platform/prediction.ts';
export type { ChangeReason, PlatformOptions } from './platform/store-access.ts';
export { promoteCandidate, rollbackModel, scaleDeployment } from './lifecycle/change-deployment.ts';
export { grantKey, revokeKey, rotateKey } from './lifecycle/change-keys.ts';
export { collectGarbage } from './lifecycle/collect-garbage.ts';
export { deployModel } from './lifecycle/deploy-model.ts';
export { initStore } from './lifecycle/init-store.ts';
export { createKey } from './lifecycle/key-folder.ts';
export { listKeys } from './lifecycle/list-keys.ts';
export { moveStage } from './lifecycle/move-stage.ts';
export { publishModel } from './lifecycle/publish-model.ts';
export { diffRevisions, readHistory, stateAt } from './lifecycle/read-history.ts';
export { readStatus } from './lifecycle/read-status.ts';
export { refreshStore } from './lifecycle/refresh-store.ts';
export { rollbackTo } from './lifecycle/rollback-to.ts';
export { abortRollout, approveRollout, pauseRollout, resumeRollout } from './lifecycle/steer-rollout.ts';
export { undeployModel } from './lifecycle/undeploy-model.ts';
export { verifyStore } from './lifecycle/verify-store.ts';
export { DeploymentConfig, DeploymentStrategy } from './platform/deployment-config.ts';
export { DeploymentPlatform } from './platform/deployment-platform.ts';
export { Model } from './platform/model.ts';
export { ModelMetadata } from './platform/model-metadata.ts';
export { ModelRegistry } from './platform/model-registry.ts';
export { PredictionError } from './platform/prediction.ts';
export { openStore } from './storage/open-store.ts';
export { downloadTufTarget, initTufClient, refreshTufClient } from './storage/tuf-operations.ts';
export { StoreError } from './store-error.ts';
