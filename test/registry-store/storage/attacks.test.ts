/**
 * What a mirror, a thief of one key or a careless signer could try, over both sources, and the check that stops it: a
 * running node keeps what it had, one that starts again starts from that, and one that is new does not start.
 */
import { describe, expect, test } from 'vitest';
import type { StoreCheck } from '../../../registry-store/main.ts';
import { type Forgery, all, copy, drop, forge, put } from '../forger.ts';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';
import { expectLastGood, freshState, nodeOver, openingError, ways } from './node-under-test.ts';

const oldModel = ['targets', 'models/iris/1.0.0/model.onnx'];
const liveModel = ['targets', 'models/iris/2.0.0/model.onnx'];

interface Attack {
  readonly name: string;
  readonly check: StoreCheck;
  readonly forgery: Forgery;
}

const attacks: readonly Attack[] = [
  {
    name: 'a deployment signed with the key for models',
    check: 'signature',
    forgery: { role: 'deployments', signedAs: 'models' },
  },
  {
    name: 'a snapshot signed with the key for timestamps',
    check: 'signature',
    forgery: { role: 'snapshot', signedAs: 'timestamp' },
  },
  {
    name: 'a deployment listed by the role for models',
    check: 'delegation',
    forgery: { role: 'models-iris', edit: copy(oldModel, ['targets', 'deployments/default.json']) },
  },
  {
    name: 'a file listed by the role that only delegates',
    check: 'delegation',
    forgery: {
      role: 'targets',
      edit: put(['targets', 'models/x/1/model.onnx'], { length: 1, hashes: { sha256: '0'.repeat(64) } }),
    },
  },
  {
    name: 'a model without any digest',
    check: 'metadata-form',
    forgery: { role: 'models-iris', edit: put([...oldModel, 'hashes'], {}) },
  },
  {
    name: 'a model with another digest than SHA-256',
    check: 'metadata-form',
    forgery: { role: 'models-iris', edit: put([...oldModel, 'hashes'], { sha512: '0'.repeat(128) }) },
  },
  {
    name: 'a live model with other bytes than the operator chose',
    check: 'deployment-manifest',
    forgery: {
      role: 'models-iris',
      edit: all(
        copy([...oldModel, 'hashes'], [...liveModel, 'hashes']),
        copy([...oldModel, 'length'], [...liveModel, 'length']),
      ),
    },
  },
  {
    name: 'a model that begins its life archived',
    check: 'version-metadata',
    forgery: { role: 'models-iris', edit: put([...liveModel, 'custom', 'stage'], 'archived') },
  },
  {
    name: 'a live model removed',
    check: 'deployment-manifest',
    forgery: { role: 'models-iris', edit: drop(liveModel) },
  },
  {
    name: 'the previous model removed',
    check: 'deployment-manifest',
    forgery: { role: 'models-iris', edit: drop(oldModel) },
  },
  {
    name: 'metadata of another version lent to a model',
    check: 'version-metadata',
    forgery: { role: 'models-iris', edit: copy([...liveModel, 'custom'], [...oldModel, 'custom']) },
  },
  {
    name: 'metadata of a schema to come',
    check: 'version-metadata',
    forgery: { role: 'models-iris', edit: put([...oldModel, 'custom', 'schema'], 2) },
  },
  {
    name: 'a model without metadata',
    check: 'version-metadata',
    forgery: { role: 'models-iris', edit: drop([...oldModel, 'custom']) },
  },
  {
    name: 'a model listed by the role of another one',
    check: 'delegation',
    forgery: { role: 'models-iris', edit: copy(oldModel, ['targets', 'models/stats/1/model.onnx']) },
  },
  {
    name: 'a path that climbs',
    check: 'metadata-form',
    forgery: { role: 'models-iris', edit: copy(oldModel, ['targets', 'models/../../model.onnx']) },
  },
  {
    name: 'no deployment manifest',
    check: 'deployment-manifest',
    forgery: { role: 'deployments', edit: put(['targets'], {}) },
  },
  {
    name: 'a snapshot that forgets a role',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: drop(['meta', 'models.json']) },
  },
  {
    name: 'a snapshot with a role that has no keys',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: copy(['meta', 'models.json'], ['meta', 'others.json']) },
  },
  {
    name: 'a snapshot of another moment',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: put(['meta', 'models.json', 'hashes', 'sha256'], '0'.repeat(64)) },
  },
  {
    name: 'a timestamp that pins another snapshot',
    check: 'mix-and-match',
    forgery: { role: 'timestamp', edit: put(['meta', 'snapshot.json', 'hashes', 'sha256'], '0'.repeat(64)) },
  },
  {
    name: 'a snapshot that names an older version with the bytes of the newer one',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: put(['meta', 'deployments.json', 'version'], 2) },
  },
  ...(['timestamp', 'snapshot', 'models', 'models-iris', 'deployments', 'targets'] as const).map(
    (role): Attack => ({
      name: `an expired ${role}`,
      check: 'expiry',
      forgery: { role, edit: put(['expires'], '2024-01-01T00:00:00Z') },
    }),
  ),
  {
    name: 'an expiry in another format',
    check: 'metadata-form',
    forgery: { role: 'timestamp', edit: put(['expires'], '2099-01-01') },
  },
  {
    name: 'signatures in capital letters',
    check: 'canonical-bytes',
    forgery: {
      role: 'timestamp',
      respell: (text) => text.replace(/"sig":"[^"]+"/, (sig) => sig.toUpperCase().replace('SIG', 'sig')),
    },
  },
  {
    name: 'white space in front of the signed part',
    check: 'signature',
    forgery: { role: 'models-iris', respell: (text) => text.replace('"signed":', '"signed": ') },
  },
  {
    name: 'white space between the signatures',
    check: 'canonical-bytes',
    forgery: { role: 'models-iris', respell: (text) => text.replace('[{', '[ {') },
  },
  {
    name: 'a line end after the last brace',
    check: 'canonical-bytes',
    forgery: { role: 'models-iris', respell: (text) => `${text}\n` },
  },
  {
    name: 'a stranger who signs along',
    check: 'signature',
    forgery: {
      role: 'timestamp',
      respell: (text) => text.replace('[{', `[{"keyid":"${'0'.repeat(64)}","sig":"${'0'.repeat(128)}"},{`),
    },
  },
  {
    name: 'a signature listed twice',
    check: 'canonical-bytes',
    forgery: { role: 'timestamp', respell: (text) => text.replace(/\[(\{.*?\})\]/, '[$1,$1]') },
  },
];

describe.each(ways)('a forged state over %s', (way) => {
  test.each(attacks)('$name is refused by the check $check', async ({ check, forgery }) => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    const running = await open();
    const before = running.current;
    const refused = nextEvent(running, 'refused');
    await forge(store, forgery);
    expect((await refused).error.check).toBe(check);
    expect(running.current).toBe(before);
    await expectLastGood(running);
    expect(running.condition).toMatchObject({ fresh: false, lastError: { check } });
    await running.close();

    const restarted = await open();
    expect(restarted.condition).toMatchObject({ fresh: false, lastError: { check } });
    await expectLastGood(restarted);
    expect(await openingError(open({ stateFolder: freshState(store) }))).toMatchObject({ check });
  });

  test('the forger is good: what it does not change is accepted', async () => {
    const store = await TemporaryStore.makeWithIris();
    await forge(store, { role: 'models-iris' });
    const opened = await (await nodeOver(way, store)).open();
    expect(opened.current.models.get('iris')?.size).toBe(2);
    expect(opened.condition.fresh).toBe(true);
  });
});
