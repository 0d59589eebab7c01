/** Alignment of a text table. */
import { expect, it } from 'vitest';
import { renderTable } from '../../../bench/report/table.ts';

it('aligns names to the left and numbers to the right, without blanks at line ends', () => {
  const table = renderTable(
    [
      { title: 'peer', align: 'left' },
      { title: 'per second', align: 'right' },
      { title: 'note', align: 'left' },
    ],
    [
      ['gateway', '31,000', 'a'],
      ['bare', '9', ''],
    ],
  );
  expect(table).toBe(
    ['peer     per second  note', 'gateway      31,000  a', 'bare              9'].join('\n'),
  );
});
