/** The shadow candidates of this node: started when a deployment asks for one, kept while it does, ended after. */
import type { Deployment, VersionMetadata } from '../../../registry-store/main.ts';
import type { MetricsPage, Sample } from '../../telemetry/metrics-page.ts';
import type { NotLoaded } from '../generation-loader.ts';
import { rolloutIdOf } from '../rollouts/rollout-id.ts';
import { ShadowLane, type ShadowLaneOptions } from './shadow-lane.ts';
import { type ShadowCounts, ShadowMirror } from './shadow-mirror.ts';

/** Each costs a thread. */
const shadowsMax = 4;

export class LiveShadows {
  readonly #options: ShadowLaneOptions;
  /** By the id of the rollout. */
  readonly #mirrors = new Map<string, ShadowMirror>();
  #closed = false;

  constructor(options: ShadowLaneOptions) {
    this.#options = options;
  }

  /** The mirror for a deployment whose strategy is `shadow`, or why there is none. It stays until `end`. */
  async mirrorOf(
    deployment: Deployment,
    version: VersionMetadata | undefined,
  ): Promise<ShadowMirror | NotLoaded> {
    const { model, trafficBps = 0 } = deployment;
    if (version === undefined) return { reason: 'the version is not in the store', mayPass: false };
    if (version.state.length > 0) return stateful;
    const rolloutId = rolloutIdOf(deployment);
    const running = this.#mirrors.get(rolloutId);
    if (running !== undefined) {
      running.setTraffic(trafficBps);
      return running;
    }
    // The one before of the same model ends when this one has taken its place.
    const others = [...this.#mirrors.values()].filter(({ modelName }) => modelName !== model);
    if (others.length >= shadowsMax) return tooMany;
    const lane = await ShadowLane.start(version, this.#options);
    if (!(lane instanceof ShadowLane)) return lane;
    const mirror = new ShadowMirror({ modelName: model, rolloutId, trafficBps, lane });
    this.#mirrors.set(rolloutId, mirror);
    if (this.#closed) await this.close();
    this.#options.log.info(
      { model, rollout: rolloutId, candidate: version.version, percent: trafficBps / 100 },
      'requests copied to a shadow',
    );
    return mirror;
  }

  /** No route leads to it any more. Its thread ends; copies under way are lost, which nobody notices. */
  end(mirror: ShadowMirror): void {
    const { modelName: model, rolloutId, counts } = mirror;
    this.#mirrors.delete(rolloutId);
    const { log } = this.#options;
    log.info({ model, rollout: rolloutId, ...counts }, 'shadow ended');
    mirror.close().catch((error: unknown) => {
      log.error({ err: error, model }, 'shadow thread could not be ended');
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const mirrors = [...this.#mirrors.values()];
    this.#mirrors.clear();
    await Promise.all(mirrors.map((mirror) => mirror.close()));
  }

  /** For the body of the readiness answer; nothing where there are none. */
  health(): object {
    const shadows = [...this.#mirrors.values()].map(
      ({ modelName: model, candidateVersion: candidate, trafficBps, counts }) => ({
        ...{ model, candidate, percent: trafficBps / 100 },
        ...{ copies: counts.sent + counts.dropped, answered: counts.pairs },
        ...{ rows: counts.rows, rows_agreeing: counts.rowsAgreeing },
      }),
    );
    return shadows.length === 0 ? {} : { shadows };
  }

  addTo(page: MetricsPage): void {
    for (const { name, help, of } of shadowCounters) {
      page.counter({ name, help, read: () => this.#samples(of) });
    }
    page.gauge({
      name: 'tidegate_shadow_difference_max',
      help: 'Largest difference of two finite elements that the versions answered to one request.',
      read: () => this.#samples(({ differenceMax }) => differenceMax),
    });
  }

  #samples(of: (counts: ShadowCounts) => number): Sample[] {
    return [...this.#mirrors.values()].map((mirror) => ({
      labels: { model: mirror.modelName, candidate: mirror.candidateVersion },
      value: of(mirror.counts),
    }));
  }
}

const stateful: NotLoaded = {
  reason:
    'STATEFUL_SHADOW: a model with state gets no copies, they would need sequences of their own; use a canary.',
  mayPass: false,
};

const tooMany: NotLoaded = {
  reason: `SHADOW_LIMIT: ${shadowsMax} shadow rollouts are on here already; end one with "tidegate rollback".`,
  mayPass: true,
};

const shadowCounters: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (counts: ShadowCounts) => number;
}[] = [
  {
    name: 'tidegate_shadow_sent_total',
    help: 'Requests copied to a shadow candidate.',
    of: ({ sent }) => sent,
  },
  {
    name: 'tidegate_shadow_dropped_total',
    help: 'Copies that found no room, waited too long, came while callers waited for a thread, or would have run for more than shadowBusyPercentMax of the time.',
    of: ({ dropped }) => dropped,
  },
  {
    name: 'tidegate_shadow_failed_total',
    help: 'Requests that the live version answered and the shadow candidate did not.',
    of: ({ failed }) => failed,
  },
  {
    name: 'tidegate_shadow_pairs_total',
    help: 'Requests that both versions answered.',
    of: ({ pairs }) => pairs,
  },
  {
    name: 'tidegate_shadow_pairs_unlike_total',
    help: 'Pairs whose outputs have other names, datatypes or sizes.',
    of: ({ pairsUnlike }) => pairsUnlike,
  },
  {
    name: 'tidegate_shadow_rows_total',
    help: 'Rows of outputs that were compared.',
    of: ({ rows }) => rows,
  },
  {
    name: 'tidegate_shadow_rows_agreeing_total',
    help: 'Compared rows with the same largest score, or the same value.',
    of: ({ rowsAgreeing }) => rowsAgreeing,
  },
  {
    name: 'tidegate_shadow_rows_not_finite_total',
    help: 'Compared rows in which only the candidate has numbers that are not finite.',
    of: ({ rowsNotFinite }) => rowsNotFinite,
  },
  {
    name: 'tidegate_shadow_rows_ranked_total',
    help: 'Compared rows of more than 5 scores.',
    of: ({ rowsRanked }) => rowsRanked,
  },
  {
    name: 'tidegate_shadow_top_shared_total',
    help: 'Of the 5 largest scores of those rows, how many both versions have, summed.',
    of: ({ topShared }) => topShared,
  },
];
