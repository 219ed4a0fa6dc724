import { SyntaxKind as Kind, type Node } from 'typescript/unstable/ast';
import {
  isBinaryExpression,
  isBindingElement,
  isIdentifier,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
} from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';

/** A field that files below `within` raise, and that none of them reads. */
export interface UnreadCounter {
  readonly file: string;
  readonly name: string;
}

interface Uses {
  readonly file: string;
  readonly name: string;
  raised: number;
  read: number;
}

const ASSIGNED: ReadonlySet<Kind> = new Set([Kind.EqualsToken, Kind.PlusEqualsToken, Kind.MinusEqualsToken]);

export function unreadCounters(config: string, within: string): UnreadCounter[] {
  const api = new API({ cwd: within });
  try {
    const { checker, program } = api.updateSnapshot({ openProjects: [config] }).getProjects()[0]!;
    const uses = new Map<string, Uses>();
    // `const { count } = this.counters` reads it under another symbol.
    const taken = new Set<string>();
    for (const file of program.getSourceFileNames()) {
      if (!file.startsWith(within)) continue;
      const names: Node[] = [];
      const visit = (node: Node): void => {
        if (isIdentifier(node) || node.kind === Kind.PrivateIdentifier) names.push(node);
        if (isBindingElement(node)) {
          const from = node.propertyName ?? node.name;
          if (from !== undefined && isIdentifier(from)) taken.add(from.text);
        }
        node.forEachChild(visit);
      };
      visit(program.getSourceFile(file)!);
      for (const [i, symbol] of checker.getSymbolAtLocation(names).entries()) {
        const name = (names[i] as Node & { readonly text: string }).text;
        const how = useOf(names[i]!);
        // Where a type is made of another, both declare it.
        for (const { path, index } of symbol?.declarations ?? []) {
          if (!path.startsWith(within)) continue;
          const of = uses.get(`${path} ${index}`) ?? {
            file: path.slice(within.length),
            name,
            raised: 0,
            read: 0,
          };
          uses.set(`${path} ${index}`, of);
          if (how === 'raised') of.raised++;
          else if (how === 'read') of.read++;
        }
      }
    }
    return [...uses.values()].filter(
      ({ name, raised, read }) => raised > 0 && read === 0 && !taken.has(name),
    );
  } finally {
    api.close();
  }
}

/** What is done with a name where it stands. */
function useOf(name: Node): 'raised' | 'set' | 'read' {
  const { parent } = name;
  if (!isPropertyAccessExpression(parent)) return isDeclared(name) ? 'set' : 'read';
  const whole = parent.parent;
  const isStatement = whole.parent.kind === Kind.ExpressionStatement;
  if ((isPostfixUnaryExpression(whole) || isPrefixUnaryExpression(whole)) && isStatement) return 'raised';
  if (!isBinaryExpression(whole) || whole.left !== parent || !isStatement) return 'read';
  const { kind } = whole.operatorToken;
  if (!ASSIGNED.has(kind)) return 'read';
  return kind === Kind.EqualsToken ? 'set' : 'raised';
}

/** Whether a name is that of a field where it is declared, or of a member in an object as it is written. */
function isDeclared({ parent }: Node): boolean {
  return [Kind.PropertyDeclaration, Kind.PropertySignature, Kind.PropertyAssignment].includes(parent.kind);
}
