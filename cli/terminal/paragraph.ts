/** Text in lines that fit: broken at spaces, and inside a word only where the word alone is too long. */

/** At least one line; none is longer than `width`, which is at least 1. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    for (; line.length > width; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

/** `first` before the first line, as many spaces before the others. */
export function hanging(first: string, text: string, width: number): readonly string[] {
  return wrapped(text, Math.max(1, width - first.length)).map(
    (line, index) => `${index === 0 ? first : ' '.repeat(first.length)}${line}`,
  );
}
