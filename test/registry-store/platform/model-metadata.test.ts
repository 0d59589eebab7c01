/** What a pipeline says about a model is checked when it is said, not when it is signed. */
import { describe, expect, test } from 'vitest';
import { ModelMetadata, StoreError } from '../../../registry-store/main.ts';

const good = { name: 'iris', version: '1.0.0', author: 'Ada' };

describe('metadata', () => {
  test('has defaults and cannot be changed through what it was made of', () => {
    const metrics = { accuracy: 0.97 };
    const metadata = new ModelMetadata({ ...good, metrics, tags: ['demo'] });
    metrics.accuracy = 0.1;
    expect(metadata).toMatchObject({ framework: 'onnx', description: '', metrics: { accuracy: 0.97 } });
    expect(Object.isFrozen(metadata.metrics) && Object.isFrozen(metadata.tags)).toBe(true);
  });

  test.each<[RegExp, object]>([
    [/"Iris"/, { name: 'Iris' }],
    [/"..\/x"/, { name: '../x' }],
    [/version ""/, { version: '' }],
    [/author/, { author: undefined }],
    [/author/, { author: 'A\nB' }],
    [/description is longer than 2000/, { description: 'x'.repeat(2001) }],
    [/metrics\.loss is NaN/, { metrics: { loss: Number.NaN } }],
    [/metrics "1st"/, { metrics: { '1st': 1 } }],
    [/tags "two words"/, { tags: ['two words'] }],
    [/tags has more than 64/, { tags: Array.from({ length: 65 }, (_, index) => `t${index}`) }],
  ])('is refused with %s', (message, change) => {
    const make = (): ModelMetadata => new ModelMetadata({ ...good, ...change });
    expect(make).toThrow(message);
    expect(make).toThrow(StoreError);
  });
});
