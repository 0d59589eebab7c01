/** Who is taken that has a deadline, case by case. */
import { expect, it } from 'vitest';
import { checkDeadline } from '../../../gateway/admission/deadline-check.ts';

const calm = { budgetMs: 100, waitMs: 0, rideMs: 10, answerMs: 0, aloneMs: 10, fullMs: 40, isFresh: true };

it.each([
  { what: 'one with time enough and nobody before it', seen: {}, verdict: 'in time' },
  { what: 'one whose run alone takes longer', seen: { aloneMs: 101, rideMs: 101 }, verdict: 'hopeless' },
  {
    what: 'the same as a try, when no run was seen lately',
    seen: { aloneMs: 101, rideMs: 101, isFresh: false },
    verdict: 'in time',
  },
  { what: 'one whose time is over', seen: { budgetMs: 0, isFresh: false }, verdict: 'hopeless' },
  { what: 'one that waits and then has time for a full batch', seen: { waitMs: 40 }, verdict: 'in time' },
  {
    what: 'one that waits and then has time for a run of its own only',
    seen: { waitMs: 70 },
    verdict: 'overloaded',
  },
  {
    what: 'one with a full batch of more than half of its time',
    seen: { waitMs: 30, fullMs: 4000 },
    verdict: 'in time',
  },
  {
    what: 'the same when it waits for half of it',
    seen: { waitMs: 50, fullMs: 4000 },
    verdict: 'overloaded',
  },
  {
    what: 'one whose run alone just ends in time, but not its answer',
    seen: { aloneMs: 99, rideMs: 99, answerMs: 2 },
    verdict: 'hopeless',
  },
  {
    what: 'the same as a try, when no run was seen lately',
    seen: { aloneMs: 99, rideMs: 99, answerMs: 2, isFresh: false },
    verdict: 'in time',
  },
  {
    what: 'one that waits, rides a full batch, and is answered in time',
    seen: { waitMs: 40, answerMs: 3 },
    verdict: 'in time',
  },
  {
    what: 'the same where answers take so long that it is not',
    seen: { waitMs: 40, answerMs: 5 },
    verdict: 'overloaded',
  },
  { what: 'one that shares a run that is too long for it', seen: { rideMs: 120 }, verdict: 'overloaded' },
  {
    what: 'one behind a long queue, whether or not runs were seen',
    seen: { waitMs: 200, isFresh: false },
    verdict: 'overloaded',
  },
])('$what is $verdict', ({ seen, verdict }) => {
  expect(checkDeadline({ ...calm, ...seen })).toBe(verdict);
});
