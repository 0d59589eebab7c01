/** A config says what is wrong with it when it is made, and names the field. */
import { describe, expect, test } from 'vitest';
import {
  DeploymentConfig,
  type DeploymentConfigOptions,
  DeploymentStrategy,
  StoreError,
} from '../../../registry-store/main.ts';

describe('a config', () => {
  test('without anything is an immediate switch that wants nothing', () => {
    const config = new DeploymentConfig();
    expect(config).toMatchObject({ strategy: 'all', autoScaling: false, canaryTrafficPercentage: undefined });
    expect(config.resources).toBeUndefined();
    expect(config.trafficBps).toBeUndefined();
  });

  test('translates into the units that are signed', () => {
    const config = new DeploymentConfig({
      strategy: DeploymentStrategy.CANARY,
      replicas: 2,
      minReplicas: 1,
      maxReplicas: 8,
      targetCpuUtilization: 60,
      cpuLimit: '1500m',
      memoryLimit: '512Mi',
      canaryTrafficPercentage: 12.5,
    });
    expect(config.trafficBps).toBe(1250);
    expect(config.resources).toEqual({
      replicas: 2,
      autoScaling: { minReplicas: 1, maxReplicas: 8, targetCpuPercent: 60 },
      cpuLimitMillis: 1500,
      memoryLimitBytes: 512 * 1024 * 1024,
    });
    expect([config.cpuLimit, config.memoryLimit]).toEqual([1.5, 512 * 1024 * 1024]);
  });

  test.each<[DeploymentConfigOptions, object]>([
    [{ autoScaling: true }, { minReplicas: 1, maxReplicas: 4, targetCpuUtilization: 70 }],
    [{ minReplicas: 6 }, { autoScaling: true, minReplicas: 6, maxReplicas: 6 }],
    [
      { replicas: 9, autoScaling: true },
      { minReplicas: 1, maxReplicas: 9 },
    ],
    [{ strategy: 'canary' }, { canaryTrafficPercentage: 10 }],
    [{ strategy: 'shadow' }, { canaryTrafficPercentage: 100 }],
    [{ strategy: 'blue_green' }, { canaryTrafficPercentage: undefined }],
    [{ strategy: 'canary', canaryTrafficPercentage: 0 }, { canaryTrafficPercentage: 0 }],
    [
      { cpuLimit: 2, memoryLimit: 1e9 },
      { cpuLimit: 2, memoryLimit: 1_000_000_000 },
    ],
  ])('%j has defaults %j', (options, expected) => {
    expect(new DeploymentConfig(options)).toMatchObject(expected);
  });
});

describe('a config is refused and the field is named:', () => {
  test.each<[string, object]>([
    ['strategy', { strategy: 'yolo' }],
    ['replicas', { replicas: 0 }],
    ['replicas', { replicas: 1.5 }],
    ['replicas', { replicas: 5000 }],
    ['replicas', { replicas: '2' }],
    ['minReplicas', { minReplicas: -1 }],
    ['maxReplicas', { minReplicas: 4, maxReplicas: 2 }],
    ['replicas', { replicas: 9, minReplicas: 1, maxReplicas: 2 }],
    ['targetCpuUtilization', { targetCpuUtilization: 101 }],
    ['targetCpuUtilization', { targetCpuUtilization: 0 }],
    ['write 70, not a fraction', { targetCpuUtilization: 0.7 }],
    ['autoScaling', { autoScaling: false, maxReplicas: 3 }],
    ['cpuLimit', { cpuLimit: 'all' }],
    ['cpuLimit', { cpuLimit: 0 }],
    ['memoryLimit', { memoryLimit: '512 MiBs' }],
    ['memoryLimit', { memoryLimit: -1 }],
    ['canaryTrafficPercentage', { strategy: 'canary', canaryTrafficPercentage: 101 }],
    ['canaryTrafficPercentage', { strategy: 'canary', canaryTrafficPercentage: 0.001 }],
    ['canaryTrafficPercentage', { strategy: 'rolling', canaryTrafficPercentage: 5 }],
    ['canaryTrafficPercentage', { canaryTrafficPercentage: 5 }],
    ['memory_limit', { memory_limit: '512Mi' }],
    ['before', { before: ['scale@1.0.0'] }],
    ['before', { before: { model: 'scale', version: '1' } }],
    ['after', { after: [{ model: 'top' }] }],
    ['after', { after: [{ model: 'top', version: '1', wires: [{ output: 'y' }] }] }],
  ])('%s in %j', (field, options) => {
    try {
      new DeploymentConfig(options);
      expect.unreachable('the config was accepted');
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toContain(field);
    }
  });
});
