/** The straight line that every request takes: what the door decides before anything is queued, with parts moved by hand. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { ColdCall } from '../../../gateway/dispatch/cold-starts.ts';
import type { IncomingRequest, TakenLater } from '../../../gateway/dispatch/incoming-request.ts';
import type { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import { RequestDoor, type RequestDoorOptions } from '../../../gateway/dispatch/request-door.ts';
import { PendingRequest, type ReplySink } from '../../../gateway/dispatch/request-queue.ts';
import { RouteTable } from '../../../gateway/route/route-table.ts';
import { OutcomeCounter } from '../../../gateway/telemetry/version-metrics.ts';
import { succeed } from '../../../gateway/wire/error-code.ts';
import { PuppetDispatcher, puppetGeneration, tensorOf } from './puppet-dispatcher.ts';

const sink: ReplySink = { reply: () => undefined, fail: () => undefined };

function request(more: Partial<IncomingRequest> = {}): IncomingRequest {
  return {
    ...{ protocol: 'oip-json', modelName: 'm', modelVersion: undefined, sink },
    decode: () =>
      succeed({ id: undefined, inputs: [tensorOf([1, 2])], outputs: undefined, options: undefined }),
    ...more,
  };
}

function serving(live: ModelGeneration): RouteTable<ModelGeneration, never> {
  return new RouteTable(
    new Map([['m', { live, versions: new Map([[live.modelVersion, live]]) }]]),
    new Map(),
  );
}

function dormant(version: string): ModelGeneration {
  const generation = puppetGeneration(version);
  generation.isDormant = true;
  return generation;
}

let dispatcher: PuppetDispatcher;
let unrouted: OutcomeCounter;
let waiting: ColdCall<TakenLater>[];

function doorTo(live: ModelGeneration): RequestDoor {
  const cold = {
    take: (call: ColdCall<TakenLater>) => {
      waiting.push(call);
      return { isWaiting: true };
    },
  };
  const options = {
    ...{ dispatcher, cold, unrouted, missingKey: 'stable', keySources: [], watches: new Map() },
    sequences: { open: 0 },
    limits: { requestRowsMax: 100, requestBytesMax: 1000 },
  };
  return new RequestDoor(options as unknown as RequestDoorOptions, serving(live));
}

beforeEach(() => {
  dispatcher = new PuppetDispatcher();
  unrouted = new OutcomeCounter();
  waiting = [];
});

describe('a request', () => {
  it('for a model that is there is queued for its live version', () => {
    const live = puppetGeneration();
    expect(doorTo(live).accept(request())).toBeInstanceOf(PendingRequest);
    expect(dispatcher.held[0]?.submission.generation).toBe(live);
  });

  it('for a model that is not is refused, and counts for no version', () => {
    expect(doorTo(puppetGeneration()).accept(request({ modelName: 'other' }))).toMatchObject({
      code: 'UNKNOWN_MODEL',
    });
    expect([...unrouted.rows()]).toEqual([{ protocol: 'oip-json', outcome: 'UNKNOWN_MODEL', value: 1 }]);
  });

  it('that comes while the gateway shuts down is refused, but for one that was held', () => {
    const door = doorTo(puppetGeneration());
    door.close();
    expect(door.accept(request())).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(door.accept(request({ held: true }))).toBeInstanceOf(PendingRequest);
  });

  it('that names another version than it meets, and may not choose, is told', () => {
    const door = doorTo(puppetGeneration('1'));
    expect(door.accept(request({ expectedVersion: '2' }))).toMatchObject({ code: 'FORCE_NOT_ALLOWED' });
    expect(door.accept(request({ expectedVersion: '1' }))).toBeInstanceOf(PendingRequest);
  });

  it('whose body cannot be read for a fault of ours is answered, and the fault reported', () => {
    const fault = new Error('broken');
    const decode = (): never => {
      throw fault;
    };
    expect(doorTo(puppetGeneration()).accept(request({ decode }))).toMatchObject({ code: 'INTERNAL' });
    expect(dispatcher.faults).toEqual([fault]);
  });
});

describe('a request for a version that is not in memory', () => {
  it('waits, and is queued for the one that is live when it need not wait any more', () => {
    const door = doorTo(dormant('1'));
    expect(door.accept(request())).toEqual({ isWaiting: true });
    expect(dispatcher.held).toEqual([]);
    const loaded = puppetGeneration('1');
    door.setRoutes(serving(loaded));
    expect(waiting[0]?.resume(undefined)).toBeInstanceOf(PendingRequest);
    expect(dispatcher.held[0]?.submission.generation).toBe(loaded);
  });

  it('is told to come again where the one that is live by then is not in memory either', () => {
    const door = doorTo(dormant('1'));
    door.accept(request());
    door.setRoutes(serving(dormant('2')));
    expect(waiting[0]?.resume(undefined)).toMatchObject({ code: 'MODEL_COLD', retryAfterMs: 0 });
    expect(dispatcher.held).toEqual([]);
  });
});
