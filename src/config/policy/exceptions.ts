import type { IdentityInput, RuleInput } from '../../policy/input.ts';
import { isMetaType, typeFromText } from '../../wire/iana.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { FileReader } from '../files/files.ts';
import { readPattern } from '../names.ts';
import type { Problems } from '../problems.ts';
import { quote } from '../units.ts';
import { DEFAULT_GRANTS } from './rules.ts';

/** An exception that was made over the admin API. Plain data: it crosses into the thread that loads. */
export interface DynamicException {
  readonly id: string;
  readonly identity: string;
  /** The pattern as it was written. */
  readonly name: string;
  /** Mnemonics or TYPEn, or null for the default of the pattern's kind. */
  readonly types: readonly string[] | null;
  /** Seconds since 1970. */
  readonly until: EpochSeconds;
  readonly reason: string;
  readonly approvedBy: string;
}

/** Where problems say that an exception stands. */
export function exceptionFile(id: string): string {
  return `exception ${id}`;
}

/**
 * The identities with what the admin API excepts for them. One whose identity is gone holds for nobody. What is wrong with
 * one is a problem whose file is `exception ID`.
 */
export function withExceptions(
  identities: readonly IdentityInput[],
  exceptions: readonly DynamicException[],
  reader: Pick<FileReader, 'sources'>,
  problems: Problems,
): readonly IdentityInput[] {
  if (exceptions.length === 0) return identities;
  const byIdentity = Map.groupBy(exceptions, ({ identity }) => identity);
  return identities.map((identity) => {
    const rules = (byIdentity.get(identity.name) ?? []).flatMap((exception) => {
      reader.sources.set(exceptionFile(exception.id), exception.name);
      return ruleOf(exception, identity.owner, problems) ?? [];
    });
    return rules.length === 0 ? identity : { ...identity, exceptions: [...identity.exceptions, ...rules] };
  });
}

function ruleOf(exception: DynamicException, owner: string, problems: Problems): RuleInput | null {
  const at = { file: exceptionFile(exception.id), line: 1, column: 1 };
  const read = readPattern(exception.name);
  if (!('pattern' in read)) {
    problems.fault(read, { ...at, column: read.offset + 1 });
    return null;
  }
  const types = new Set<number>();
  for (const text of exception.types ?? []) {
    const type = typeFromText(text);
    if (type === null) {
      const fix = 'write a mnemonic such as AAAA or TXT, or TYPEn';
      problems.error('type-unknown', at, `${quote(text)} is no type`, fix);
    } else if (isMetaType(type)) {
      const message = `${text} is a question about more than one name or type`;
      problems.error('type-meta', at, message, 'name the types that the job needs');
    } else types.add(type);
  }
  const { reason, approvedBy, until } = exception;
  return {
    pattern: read.pattern,
    terms: {
      ...DEFAULT_GRANTS,
      destination: null,
      owner,
      reason,
      approvedBy,
      until,
      types: exception.types === null ? null : [...types].sort((a, b) => a - b),
    },
    at,
  };
}
