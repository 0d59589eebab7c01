/** The account of numbered requests: what it takes for an answer, and what it does not let pass. */
import { expect, test } from 'vitest';
import { AnswerLedger } from '../../../bench/load/answer-ledger.ts';

test('counts what was asked, how it was answered, and what is open', () => {
  const ledger = new AnswerLedger(['WORKER_LOST']);
  const [one, two, three] = [ledger.ask(), ledger.ask(), ledger.ask()];
  ledger.answer(two, two);
  ledger.refuse(one, 'WORKER_LOST');
  expect(ledger).toMatchObject({ asked: 3, answered: 1, open: 1, wrong: 0, problems: [] });
  expect([...ledger.refusals]).toEqual([['WORKER_LOST', 1]]);
  ledger.answer(three, three);
  expect(ledger.open).toBe(0);
});

test.each<[string, (ledger: AnswerLedger, number: number) => void, RegExp]>([
  [
    'the answer of another',
    (ledger, number) => {
      ledger.answer(number, number + 1);
    },
    /1 was answered with 2/,
  ],
  [
    'no number',
    (ledger, number) => {
      ledger.answer(number, NaN);
    },
    /1 was answered with NaN/,
  ],
  [
    'a code that is not declared',
    (ledger, number) => {
      ledger.refuse(number, 'INTERNAL');
    },
    /1 ended with INTERNAL/,
  ],
  [
    'an answer to nobody',
    (ledger) => {
      ledger.answer(9, 9);
    },
    /9 is not under way, and got an answer that says 9/,
  ],
  [
    'an error to nobody',
    (ledger) => {
      ledger.refuse(NaN, 'WORKER_LOST');
    },
    /NaN is not under way, and got the error/,
  ],
  [
    'something else',
    (ledger) => {
      ledger.surprise('a socket was lost');
    },
    /^a socket was lost$/,
  ],
])('takes %s for wrong', (_, happen, words) => {
  const ledger = new AnswerLedger(['WORKER_LOST']);
  happen(ledger, ledger.ask());
  expect(ledger).toMatchObject({ answered: 0, wrong: 1 });
  expect(ledger.problems[0]).toMatch(words);
  expect(ledger.refusals.size).toBe(0);
});

test('takes the second answer to a request for wrong, and keeps the first', () => {
  const ledger = new AnswerLedger(['WORKER_LOST']);
  const number = ledger.ask();
  ledger.answer(number, number);
  ledger.answer(number, number);
  ledger.refuse(number, 'WORKER_LOST');
  expect(ledger).toMatchObject({ asked: 1, answered: 1, open: 0, wrong: 2 });
});

test('keeps some of many problems in words, and counts all', () => {
  const ledger = new AnswerLedger([]);
  for (let time = 0; time < 1000; time++) ledger.surprise('again');
  expect(ledger.wrong).toBe(1000);
  expect(ledger.problems).toHaveLength(20);
});
