import { escapeText } from '../terminal.ts';
import type { Dependency } from './dependency-table.ts';

const COLORS: Readonly<Record<Dependency['state'], string>> = {
  failing: 'red',
  failed: 'orange',
  good: 'black',
  unused: 'gray',
};
const WORST: readonly Dependency['state'][] = ['failing', 'failed', 'good', 'unused'];

/** Identities and what they need as a graph in the DOT language (https://graphviz.org/doc/info/lang.html). */
export function dependencyGraph(all: readonly Dependency[]): string {
  const lines = ['digraph namegate {', '  rankdir=LR;'];
  for (const identity of new Set(all.map((each) => each.identity)))
    lines.push(`  ${quoted(`identity ${identity}`)} [shape=box, label=${quoted(identity)}];`);
  for (const [id, of] of Map.groupBy(all, nodeOf)) {
    const state = WORST.find((word) => of.some((each) => each.state === word)) ?? 'unused';
    const fallbacks = [...new Set(of.flatMap((each) => each.fallbacks))];
    const label = [titleOf(of[0]!), ...fallbacks.map((text) => `while it fails: ${text}`)].map(escapeText);
    // A line break of a label is a backslash and an n.
    const text = label.map(inQuotes).join('\\n');
    lines.push(`  ${quoted(id)} [shape=ellipse, color=${COLORS[state]}, label="${text}"];`);
  }
  for (const each of all) {
    const label = [each.stage, each.state === 'good' ? '' : each.state]
      .filter((word) => word !== '')
      .join(': ');
    lines.push(
      `  ${quoted(`identity ${each.identity}`)} -> ${quoted(nodeOf(each))} [color=${COLORS[each.state]}, label=${quoted(label)}];`,
    );
  }
  return [...lines, '}'].join('\n');
}

function nodeOf(each: Dependency): string {
  return each.destination === null ? `pattern ${titleOf(each)}` : `destination ${each.destination}`;
}

export function titleOf({ destination, patterns }: Dependency): string {
  return destination ?? patterns[0] ?? '';
}

function quoted(text: string): string {
  return `"${inQuotes(escapeText(text))}"`;
}

/** In a quoted text of DOT only a quote ends it; a backslash begins a sign of a label. */
function inQuotes(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}
