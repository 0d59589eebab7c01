export interface FaultPlan {
  /** Which call that changes the disk, from 1. */
  readonly at: number;
  readonly effect: 'kill' | 'crash' | 'fail' | 'full' | 'none';
  /** Code of the system error. Default EIO. */
  readonly code?: string;
}
export function armFaults(plan: FaultPlan): void;
export function disarmFaults(): { readonly calls: number; readonly seen: readonly string[] };
