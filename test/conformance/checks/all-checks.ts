/** Every check, in the order in which they run: what is needed for the rest goes first, what may hurt a server last. */
import type { Check } from '../check.ts';
import { binaryChecks } from './binary.ts';
import { binaryErrorChecks } from './binary-errors.ts';
import { inferChecks } from './infer.ts';
import { datatypeChecks } from './infer-datatypes.ts';
import { inferErrorChecks } from './infer-errors.ts';
import { modelChecks } from './model.ts';
import { oddRequestChecks } from './odd-requests.ts';
import { otherExtensionChecks } from './other-extensions.ts';
import { repositoryChecks } from './repository.ts';
import { serverChecks } from './server.ts';
import { statisticsChecks } from './statistics.ts';

export const allChecks: readonly Check[] = [
  ...serverChecks,
  ...modelChecks,
  ...inferChecks,
  ...datatypeChecks,
  ...inferErrorChecks,
  ...binaryChecks,
  ...binaryErrorChecks,
  ...statisticsChecks,
  ...otherExtensionChecks,
  ...repositoryChecks,
  ...oddRequestChecks,
];
