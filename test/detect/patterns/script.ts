/**
 * A script of questions, as a file of `test/vectors/detect/`. `README.md` there has the form. `run` gives what the detectors
 * tell, by finding.
 */

import { suffixTable } from '../../../src/config/policy/suffixes.ts';
import type { DetectTerms } from '../../../src/detect/patterns/detect-terms.ts';
import { Detectors } from '../../../src/detect/patterns/detectors.ts';
import type { KeptChanges } from '../../../src/detect/patterns/kept-changes.ts';
import { DEFAULT_THRESHOLDS, type Detected, type Thresholds } from '../../../src/detect/patterns/kinds.ts';
import type { Noticed, Observed, ObservedVerdict, Who } from '../../../src/detect/patterns/observed.ts';
import { registeredDomain } from '../../../src/policy/pattern/suffix.ts';
import { halfSipHash } from '../../../src/wire/half-siphash.ts';
import { TYPE } from '../../../src/wire/iana.ts';
import { lowerName, nameFromText } from '../../../src/wire/name.ts';

export interface Script {
  /** What it has to tell, with the highest severity; empty for nothing. */
  readonly expected: ReadonlyMap<string, string>;
  readonly lines: readonly string[];
  readonly search: readonly Uint8Array[];
  readonly off: ReadonlySet<Detected>;
  readonly limits: Thresholds;
}

export const START = Date.UTC(2026, 10, 1);
const table = suffixTable();

export const hash = (first: number, second: number) => (octets: Uint8Array, from: number, to: number) => {
  const part = octets.subarray(from, to);
  return halfSipHash(part, part.length, first, second);
};

export function parseScript(text: string): Script {
  const expected = new Map<string, string>();
  const lines: string[] = [];
  const search: Uint8Array[] = [];
  const off = new Set<Detected>();
  let limits: Record<string, unknown> = { ...DEFAULT_THRESHOLDS };
  for (const raw of text.split('\n')) {
    const line = raw.replace(/(^|\s)#.*/, '').trim();
    if (line === '') continue;
    const [, key, value = ''] = /^(expect|search|off|limit): (.*)$/.exec(line) ?? [];
    const words = value.split(/\s+/);
    if (key === 'expect') {
      if (value !== 'nothing') expected.set(words[0]!, words[1] ?? '');
    } else if (key === 'search') search.push(wire(words[0]!));
    else if (key === 'off') off.add(words[0] as Detected);
    else if (key === 'limit') {
      const [kind = '', name = '', number] = words;
      limits = { ...limits, [kind]: { ...(limits[kind] as object), [name]: Number(number) } };
    } else lines.push(line);
  }
  return { expected, lines, search, off, limits: limits as unknown as Thresholds };
}

/** What tells a claim from another. */
export function whoOf(claim: string): Who {
  const octets = Buffer.from(claim);
  return { low: hash(7, 8)(octets, 0, octets.length), high: octets.length };
}

export function wire(text: string): Uint8Array {
  const name = nameFromText(text);
  if (!(name instanceof Uint8Array)) throw new Error(`${text} is no name`);
  return lowerName(name);
}

/** Milliseconds of `10s`, `5m`, `2h`, `3d`. */
function milliseconds(text: string): number {
  const [, number, unit] = /^([\d.]+)(ms|s|m|h|d)$/.exec(text) ?? [];
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  if (unit === undefined) throw new Error(`${text} is no duration`);
  return Number(number) * units[unit]!;
}

export function run(script: Script): {
  readonly told: Map<string, string>;
  readonly seen: readonly Noticed[];
} {
  const terms = new Map<string, DetectTerms>([['ci', { off: script.off, search: script.search }]]);
  let detectors = new Detectors(hash(1, 2), hash(3, 4), script.limits, terms);
  const kept = new Map<string, string>();
  const seen: Noticed[] = [];
  let at = START;
  for (const line of script.lines) {
    const words = line.split(/\s+/);
    let times = 1;
    let every = 0;
    if (words[0] === 'repeat') {
      times = Number(words[1]);
      every = milliseconds(words[3]!);
      words.splice(0, 4);
    }
    for (let i = 0; i < times; i++) {
      const told: Noticed[] = [];
      at += i === 0 ? 0 : every;
      const filled = words.map((word) => fill(word, i));
      switch (filled[0]) {
        case 'wait':
          at += milliseconds(filled[1]!);
          break;
        case 'restart':
          detectors = new Detectors(hash(5, 6), hash(3, 4), script.limits, terms);
          detectors.restore((prefix) => [...kept].filter(([key]) => key.startsWith(prefix)));
          break;
        case 'rate': {
          const options = optionsOf(filled.slice(2));
          const span = milliseconds(options.span ?? '10s');
          at += span;
          const { txt = '0', qps = '0' } = options;
          detectors.rate(
            { identity: 'ci', at, span, questions: Number(filled[1]), txt: Number(txt), qps: Number(qps) },
            told,
          );
          break;
        }
        case 'ended':
          detectors.endings.began(filled[1]!, 'ci', [filled[2]!]);
          detectors.endings.ended(filled[1]!, at);
          break;
        case 'began':
          detectors.endings.began('le-next', 'ci', [filled[1]!]);
          break;
        case 'good':
        case 'empty':
        case 'missing':
        case 'failed': {
          const options = optionsOf(filled.slice(2));
          const { claim = '10.0.0.1', count = '1', of = count, type = 'A' } = options;
          detectors.outcome(
            {
              at,
              identity: options.identity ?? 'ci',
              claim,
              who: whoOf(claim),
              name: wire(filled[1]!),
              domain: registeredDomain(wire(filled[1]!), table),
              type: TYPE[type as keyof typeof TYPE],
              group: Number(options.group ?? '0'),
              isFresh: options.kept === undefined,
              outcome: filled[0],
              count: Number(count),
              questions: Number(of),
            },
            told,
          );
          break;
        }
        default:
          detectors.take(question(filled, at), told);
      }
      detectors.pass(at, told);
      seen.push(...told);
      keep(detectors, at, kept);
    }
  }
  const told = new Map<string, string>();
  const rank = ['low', 'operations', 'medium', 'high'];
  for (const { finding, severity, isOver } of seen) {
    if (isOver !== true && rank.indexOf(severity) > rank.indexOf(told.get(finding) ?? ''))
      told.set(finding, severity);
  }
  // The end of what is not open tells nobody anything.
  const open = new Set<string>();
  for (const { finding, identity, place, isOver } of seen) {
    const key = `${finding} ${identity} ${place}`;
    if (isOver !== true) open.add(key);
    else if (open.delete(key)) told.set(`${finding}-over`, '');
  }
  return { told, seen };
}

/** As the worker does with each commit. */
function keep(detectors: Detectors, at: number, kept: Map<string, string>): void {
  const changes: KeptChanges = new Map();
  detectors.changes(at, false, changes);
  for (const [key, value] of changes) {
    if (value === null) kept.delete(key);
    else kept.set(key, value);
  }
}

function question([verdict, type, name, ...rest]: readonly string[], at: number): Observed {
  const options = optionsOf(rest);
  const octets = wire(name!);
  const { claim = '10.0.0.1' } = options;
  return {
    at,
    identity: options.identity ?? 'ci',
    claim,
    who: whoOf(claim),
    lease: options.lease ?? '',
    name: octets,
    domain: registeredDomain(octets, table),
    type: TYPE[type as keyof typeof TYPE] ?? Number(type!.replace('TYPE', '')),
    verdict: verdict as ObservedVerdict,
    count: Number(options.count ?? 1),
    proven: options.unproven === undefined,
    expected: options.expected !== undefined,
    isOfOtherStage: options.stage !== undefined,
    isInQuarantine: options.quarantine !== undefined,
    resembles: options.resembles ?? '',
    isOfPattern: options.pattern !== undefined,
  };
}

function optionsOf(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const [key = '', value = 'yes'] = word.split('=');
      return [key, value];
    }),
  );
}

/** `{i}`: the number of the repeat. `{hex}`: 30 hexadecimal digits that follow from it. */
function fill(word: string, i: number): string {
  return word.replace('{i}', `${i}`).replace('{hex}', () => {
    let text = '';
    for (let part = 0; text.length < 30; part++)
      text += ((Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(part + 1, 0x85ebca6b)) >>> 0).toString(16);
    return text.slice(0, 30);
  });
}
