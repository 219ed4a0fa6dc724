import { TYPE, typeToText } from '../../wire/iana.ts';
import { nameToText } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import type { PolicyInput, RecordInput, RedirectInput } from '../input.ts';
import { error, type Problem } from '../problem.ts';
import { type LocalName, type LocalRRset, NODE } from '../snapshot.ts';
import { NO_NODE } from '../tree.ts';
import type { Rulebook } from './rulebook.ts';
import { specialAt } from './vet.ts';

/** Redirects that may follow one another. */
const MAX_REDIRECTS = 8;

/** Places records and redirects in the tree. Gives them by node, and their names. */
export function compileLocals(
  input: PolicyInput,
  book: Rulebook,
  problems: Problem[],
): { byNode: Map<number, LocalName>; names: Uint8Array[] } {
  const byNode = new Map<number, LocalName>();
  const records = new Map<number, RecordInput[]>();
  for (const record of input.records) {
    if (!checkSpecial(record, problems)) continue;
    const node = book.tree.insert(record.name);
    const same = records.get(node);
    if (same === undefined) records.set(node, [record]);
    else same.push(record);
  }
  for (const [node, owned] of records) {
    byNode.set(node, { name: owned[0]!.name, rrsets: rrsets(owned, problems), redirect: null });
  }
  const redirects = new Map<number, RedirectInput>();
  for (const redirect of input.redirects) {
    if (!checkSpecial(redirect, problems) || !checkSpecial({ ...redirect, name: redirect.to }, problems))
      continue;
    const node = book.tree.insert(redirect.name);
    const text = nameToText(redirect.name);
    const taken = redirects.get(node);
    if (taken !== undefined) {
      const message = `${text} is redirected already, at ${taken.at.file}:${taken.at.line}`;
      problems.push(error('redirect-duplicate', redirect.at, message, 'keep one of the two'));
    } else if (records.has(node)) {
      const message = `${text} has records: a redirect answers every type, so nothing can stand beside it`;
      problems.push(
        error('redirect-beside-record', redirect.at, message, 'keep the redirect or the records'),
      );
    } else {
      redirects.set(node, redirect);
    }
  }
  for (const [node, redirect] of redirects) {
    const target = book.tree.insert(redirect.to);
    checkChain(node, redirect, redirects, book, problems);
    const local = records.has(target) || redirects.has(target);
    byNode.set(node, {
      name: redirect.name,
      rrsets: [],
      redirect: { to: redirect.to, node: local ? target : NO_NODE, private: redirect.private },
    });
  }
  for (const node of byNode.keys()) book.flag(node, NODE.LOCAL);
  return { byNode, names: [...byNode.values()].map(({ name }) => name) };
}

function checkSpecial(entry: RecordInput | RedirectInput, problems: Problem[]): boolean {
  const special = specialAt(entry.name);
  if (special === null) return true;
  const message = `${nameToText(entry.name)} belongs to ${special}, which namegate answers by itself`;
  problems.push(error('special-name', entry.at, message, 'use another name'));
  return false;
}

/** Groups the records of one owner by type. An RRset has one TTL: the least (RFC 2181 §5.2). */
function rrsets(records: readonly RecordInput[], problems: Problem[]): LocalRRset[] {
  const sets = new Map<number, { type: number; ttl: Seconds; rdata: Uint8Array[] }>();
  const seen = new Set<string>();
  for (const record of records) {
    const key = `${record.type} ${record.rdata.join()}`;
    if (seen.has(key)) {
      const message = `this ${typeToText(record.type)} record is written twice`;
      problems.push(error('record-duplicate', record.at, message, 'delete one'));
      continue;
    }
    seen.add(key);
    const set = sets.get(record.type);
    if (set === undefined) {
      sets.set(record.type, { type: record.type, ttl: record.ttl, rdata: [record.rdata] });
    } else {
      set.ttl = Math.min(set.ttl, record.ttl);
      set.rdata.push(record.rdata);
    }
    if (record.type === TYPE.CNAME && records.length > 1) {
      const message = `a CNAME stands alone at ${nameToText(record.name)} (RFC 1034 §3.6.2)`;
      problems.push(error('record-cname', record.at, message, 'write a redirect instead of the CNAME'));
    }
  }
  return [...sets.values()];
}

function checkChain(
  start: number,
  first: RedirectInput,
  redirects: ReadonlyMap<number, RedirectInput>,
  book: Rulebook,
  problems: Problem[],
): void {
  let hops = 1;
  for (let at = book.tree.insert(first.to); ; hops++) {
    if (at === start || hops > MAX_REDIRECTS) {
      const text = nameToText(first.name);
      const message =
        at === start
          ? `${text} is redirected to itself`
          : `more than ${MAX_REDIRECTS} redirects follow ${text}`;
      problems.push(
        error('redirect-loop', first.at, message, 'redirect it to a name that is not redirected'),
      );
      return;
    }
    const next = redirects.get(at);
    if (next === undefined) return;
    at = book.tree.insert(next.to);
  }
}
