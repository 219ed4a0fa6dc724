/** Cells of the table of two middles that are compared line by line; what is larger is replaced whole. */
const MOST_CELLS = 4_000_000;

/** A unified diff of one file in one hunk, for patch(1); empty where the texts are equal. `before` null: there is no file. */
export function unifiedDiff(path: string, before: string | null, after: string): string {
  const old = before === null ? [] : linesOf(before);
  const new_ = linesOf(after);
  const changed = changes(old, new_);
  if (changed.every((line) => line.startsWith(' '))) return '';
  const range = (count: number): string => (count === 0 ? '0,0' : `1,${count}`);
  const head = [`--- ${before === null ? '/dev/null' : path}`, `+++ ${path}`];
  return `${[...head, `@@ -${range(old.length)} +${range(new_.length)} @@`, ...changed].join('\n')}\n`;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Lines with ` `, `-` or `+` in front. */
function changes(old: readonly string[], new_: readonly string[]): string[] {
  let start = 0;
  while (start < old.length && start < new_.length && old[start] === new_[start]) start++;
  let end = 0;
  const most = Math.min(old.length, new_.length) - start;
  while (end < most && old[old.length - 1 - end] === new_[new_.length - 1 - end]) end++;
  const kept = (lines: readonly string[]): string[] => lines.map((line) => ` ${line}`);
  const [a, b] = [old.slice(start, old.length - end), new_.slice(start, new_.length - end)];
  return [...kept(old.slice(0, start)), ...middle(a, b), ...kept(old.slice(old.length - end))];
}

/** By the longest common subsequence. */
function middle(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  if (a.length * b.length > MOST_CELLS)
    return [...a.map((line) => `-${line}`), ...b.map((line) => `+${line}`)];
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(` ${a[i]}`);
      i++;
      j++;
    } else if (
      j >= b.length ||
      (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push(`-${a[i++]}`);
    } else lines.push(`+${b[j++]}`);
  }
  return lines;
}
