import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { page } from '../docs.ts';

/** Each metric and label that the dashboard and the alert rules name exists; docs/metrics.md is held to the code. */

const TYPES = new Map(
  [...page('docs/metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) \|/gm)].map(
    ([, name, type, labels]) => [
      name,
      { type, labels: [...(labels ?? '').matchAll(/`(\w+)`/g)].map(([, label]) => label ?? '') },
    ],
  ),
);

const rules = readFileSync('packaging/prometheus/namegate.rules.yml', 'utf8');
const dashboard = JSON.parse(readFileSync('packaging/grafana/namegate.json', 'utf8')) as {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
};

function checked(t: Test, text: string, where: string): void {
  const names = [...text.matchAll(/\b(?:namegate|process)_\w+/g)].map(([name]) => name);
  t.ok(names.length > 0, where);
  for (const name of names) {
    const base = name.replace(/_bucket$/, '');
    const known = TYPES.get(base);
    t.ok(known !== undefined, `${name} in ${where}`);
    t.equal(name.endsWith('_bucket'), known?.type === 'histogram', `${name} in ${where}`);
  }
  const allowed = new Set([
    ...names.flatMap((name) => TYPES.get(name.replace(/_bucket$/, ''))?.labels ?? []),
    'instance',
    'le',
  ]);
  const used = [...text.matchAll(/(?:by \(([^)]*)\)|[{,](\w+)=)/g)].flatMap(([, by, label]) =>
    by === undefined ? [label ?? ''] : by.split(/, */),
  );
  for (const label of used) t.ok(allowed.has(label), `label ${label} in ${where}`);
}

t.test('the dashboard', async (t) => {
  t.ok(dashboard.panels.length >= 15);
  for (const { title, targets } of dashboard.panels) for (const { expr } of targets) checked(t, expr, title);
});

t.test('the alert rules', async (t) => {
  const exprs = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expr]) => expr ?? '');
  t.equal(exprs.length, [...rules.matchAll(/- alert:/g)].length);
  for (const expr of exprs) checked(t, expr, expr);
});
