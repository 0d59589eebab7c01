/**
 * The folders whose code is pure: values in, values out. It takes time as an argument and uses no clock, timer, promise,
 * randomness or I/O. The linter and the rules about imports read it here.
 */
export const pureFolders = [
  'gateway/wire',
  'gateway/admission',
  'gateway/route',
  'gateway/rollout',
  'gateway/batch',
  'gateway/scale',
  'gateway/residency',
  'gateway/openapi',
  'runtime/tensor',
  'runtime/protocol',
  'registry-store/manifest',
  'registry-store/trust',
];
