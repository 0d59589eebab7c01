/**
 * Decimal text to an exact integer, for numbers that a double cannot hold to the last digit.
 * Not for the hot path: small integers never come here.
 * Invariant: the cost is linear in the length of the text, whatever its exponent says.
 */

/** More digits than any 64-bit integer has; a larger exponent is out of range without building the number. */
const digitsMax = 20;

/**
 * The value of a well-formed JSON number if it is integral and has at most 20 digits, as every 64-bit integer;
 * undefined otherwise. `1.5e1` and `10.0` are integral, `1.05e1` is not.
 */
export function exactInteger(text: string): bigint | undefined {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match;
  const all = whole + fraction;
  const first = firstSignificant(all);
  if (first === all.length) return 0n;
  const last = lastSignificant(all);
  const digits = all.slice(first, last + 1);
  // Zeros that follow the last digit that counts; negative when the fraction does not vanish.
  const zeros = Number(exponentText) - fraction.length + (all.length - 1 - last);
  if (zeros < 0 || digits.length + zeros > digitsMax) return undefined;
  return BigInt(sign + digits + '0'.repeat(zeros));
}

function firstSignificant(digits: string): number {
  let index = 0;
  while (digits[index] === '0') index++;
  return index;
}

function lastSignificant(digits: string): number {
  let index = digits.length - 1;
  while (digits[index] === '0') index--;
  return index;
}
