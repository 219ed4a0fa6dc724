import {
  type Expression,
  type Identifier,
  SyntaxKind as Kind,
  type Node,
  type SourceFile,
} from 'typescript/unstable/ast';
import {
  isArrowFunction,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isIdentifier,
  isNonNullExpression,
  isNumericLiteral,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is';
import { API, type Checker, type Project, type Type } from 'typescript/unstable/sync';
import { ANY, byThousand, difference, either, KINDS, sum, timesThousand } from './time-arithmetic.ts';

/**
 * Reads all sums, differences, comparisons and products of times in a project, and says which of them mix kinds. A sum is a
 * plain number to the compiler: it takes a moment less a moment for a moment, and milliseconds of one clock beside those of
 * another. The kind of a sum follows here from the kinds of what is added. It has to be the one that is wanted where it goes.
 */
export interface Mix {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

const COMPARED: ReadonlySet<Kind> = new Set([
  Kind.LessThanToken,
  Kind.LessThanEqualsToken,
  Kind.GreaterThanToken,
  Kind.GreaterThanEqualsToken,
  Kind.EqualsEqualsEqualsToken,
  Kind.ExclamationEqualsEqualsToken,
]);
const SUMS: ReadonlySet<Kind> = new Set([
  Kind.PlusToken,
  Kind.MinusToken,
  Kind.PlusEqualsToken,
  Kind.MinusEqualsToken,
]);
const PRODUCTS: ReadonlySet<Kind> = new Set([Kind.AsteriskToken, Kind.SlashToken]);

/** Functions of Math that leave the kind as it is, and those whose arguments have to be of one kind. */
const ROUNDS = /^Math\.(?:floor|ceil|round|trunc|abs|max|min)$/;

/** What these give is a plain number to the compiler. */
const CLOCKS: Readonly<Record<string, string>> = {
  'performance.now': 'Monotonic',
  'Date.now': 'EpochMilliseconds',
};

/** What is mixed in the files of a project whose path begins with `within`; `config`: its tsconfig.json. */
export function mixesOf(config: string, within: string): { readonly mixes: Mix[]; readonly sums: number } {
  const api = new API({ cwd: within });
  try {
    const [project] = api.updateSnapshot({ openProjects: [config] }).getProjects();
    const reader = new Reader(project as Project);
    for (const name of project!.program.getSourceFileNames()) {
      if (name.startsWith(within)) reader.read(project!.program.getSourceFile(name)!);
    }
    return { mixes: reader.mixes, sums: reader.sums };
  } finally {
    api.close();
  }
}

class Reader {
  readonly mixes: Mix[] = [];
  /** Sums, differences and comparisons of which the kinds are known on both sides, and sums that go where a kind is wanted. */
  sums = 0;
  readonly #project: Project;
  readonly #checker: Checker;
  readonly #kindOfType = new Map<number, string | null>();
  readonly #types = new Map<Node, Type | undefined>();
  readonly #kinds = new Map<Node, string | null>();
  #file: SourceFile | null = null;

  constructor(project: Project) {
    this.#project = project;
    this.#checker = project.checker;
  }

  read(file: SourceFile): void {
    this.#file = file;
    const roots: Expression[] = [];
    const leaves: Node[] = [];
    const visit = (node: Node): void => {
      this.#readClock(node);
      if (isSum(node) || this.#isRound(node) || this.#clockOf(node) !== null) {
        roots.push(node as Expression);
        leavesOf(node as Expression, leaves);
      }
      node.forEachChild(visit);
    };
    visit(file);
    if (leaves.length === 0) return;
    const types = this.#checker.getTypeAtLocation(leaves);
    for (const [i, leaf] of leaves.entries()) this.#types.set(leaf, types[i]);
    for (const root of new Set(roots.map((root) => this.#outermost(root))))
      this.#goes(root, this.#kind(root));
    this.#readUses(file);
  }

  /** A clock that is handed on goes where a function of its kind is wanted. */
  #readClock(node: Node): void {
    if (!isPropertyAccessExpression(node)) return;
    if (isCallExpression(node.parent) && node.parent.expression === node) return;
    const kind = CLOCKS[textOf(node, this.#file!)];
    if (kind === undefined) return;
    const wanted = this.#checker.getContextualType(node);
    const named =
      wanted === undefined ? '' : (/=> (\w+)$/.exec(this.#checker.typeToString(wanted))?.[1] ?? '');
    if (KINDS.has(named) && named !== kind) this.#say(node, `${kind} goes where ${named} is wanted`);
  }

  /** The kind of what a call of a clock gives; null for another node. */
  #clockOf(node: Node): string | null {
    if (!isCallExpression(node)) return null;
    return CLOCKS[textOf(node.expression, this.#file!)] ?? null;
  }

  /** What a constant of a sum is given to: to the compiler it is a plain number as well. */
  #readUses(file: SourceFile): void {
    const constants = new Map<string, string>();
    const uses: Identifier[] = [];
    const visit = (node: Node): void => {
      if (
        isVariableDeclaration(node) &&
        isIdentifier(node.name) &&
        node.type === undefined &&
        node.initializer
      ) {
        const kind = this.#kinds.get(node.initializer);
        if (kind != null && kind !== ANY) constants.set(node.name.text, kind);
      } else if (isIdentifier(node) && constants.has(node.text) && !isVariableDeclaration(node.parent))
        uses.push(node);
      node.forEachChild(visit);
    };
    visit(file);
    for (const use of uses) {
      const root = this.#outermost(use);
      if (!isSum(root.parent) && !isPropertyAccessExpression(root.parent)) this.#goes(root, this.#kind(root));
    }
  }

  /** Whether a sum goes where its kind is wanted. */
  #goes(root: Expression, kind: string | null): void {
    if (kind === null || kind === ANY || isSum(root.parent)) return;
    const wanted = this.#checker.getContextualType(root);
    const named = wanted === undefined ? null : this.#nameOf(wanted);
    if (named !== null) this.sums++;
    if (named !== null && named !== kind) this.#say(root, `${kind} goes where ${named} is wanted`);
  }

  /** The whole of which a sum is a part and that has its kind. */
  #outermost(node: Expression): Expression {
    let at = node;
    for (;;) {
      const { parent } = at;
      const isChoice =
        (isConditionalExpression(parent) && parent.condition !== at) ||
        (isBinaryExpression(parent) && parent.operatorToken.kind === Kind.QuestionQuestionToken);
      const isRound = isCallExpression(parent) && parent.expression !== at && this.#isRound(parent);
      if (!isChoice && !isRound && !isParenthesizedExpression(parent) && !isNonNullExpression(parent))
        return at;
      at = parent as Expression;
    }
  }

  /** The kind of an expression; null where it has none, or nobody knows. */
  #kind(node: Expression): string | null {
    const known = this.#kinds.get(node);
    if (known !== undefined) return known;
    this.#kinds.set(node, null);
    const kind = this.#read(node);
    this.#kinds.set(node, kind);
    return kind;
  }

  #read(node: Expression): string | null {
    if (isParenthesizedExpression(node) || isNonNullExpression(node)) return this.#kind(node.expression);
    if (isNumber(node)) return ANY;
    const clock = this.#clockOf(node);
    if (clock !== null) return clock;
    if (isConditionalExpression(node)) return either(this.#kind(node.whenTrue), this.#kind(node.whenFalse));
    if (isCallExpression(node) && this.#isRound(node)) {
      return node.arguments
        .map((each) => this.#kind(each as Expression))
        .reduce((a, b) => this.#same(node, a, b));
    }
    if (isBinaryExpression(node)) return this.#binary(node);
    return this.#declared(node);
  }

  /** The kind of a type that was written, or of what a constant is made of. */
  #declared(node: Expression): string | null {
    const type = this.#types.has(node) ? this.#types.get(node) : this.#checker.getTypeAtLocation(node);
    const named = type === undefined ? null : this.#nameOf(type);
    if (named !== null || !isIdentifier(node)) return named;
    const symbol = this.#checker.getSymbolAtLocation(node);
    const declared = symbol?.valueDeclaration?.resolve(this.#project);
    if (declared === undefined || !isVariableDeclaration(declared)) return null;
    if (declared.type !== undefined || declared.initializer === undefined) return null;
    if (isArrowFunction(declared.initializer)) return null;
    return this.#kind(declared.initializer as Expression);
  }

  #binary(
    node: Expression & {
      readonly left: Expression;
      readonly right: Expression;
      readonly operatorToken: Node;
    },
  ): string | null {
    const operator = node.operatorToken.kind;
    const [a, b] = [this.#kind(node.left), this.#kind(node.right)];
    if (operator === Kind.QuestionQuestionToken) return either(a, b);
    if (COMPARED.has(operator)) {
      this.#same(node, a, b);
      return null;
    }
    if (operator === Kind.AsteriskToken)
      return isThousand(node.right) ? timesThousand(a) : isThousand(node.left) ? timesThousand(b) : null;
    if (operator === Kind.SlashToken) return isThousand(node.right) ? byThousand(a) : null;
    if (operator === Kind.PercentToken || !SUMS.has(operator) || a === null || b === null) return null;
    const isDifference = operator === Kind.MinusToken || operator === Kind.MinusEqualsToken;
    if (a !== ANY && b !== ANY) this.sums++;
    const kind = isDifference ? difference(a, b) : sum(a, b);
    if (kind === null) this.#say(node, `${a} ${isDifference ? '-' : '+'} ${b}`);
    return kind;
  }

  #same(node: Node, a: string | null, b: string | null): string | null {
    if (a === null || b === null) return null;
    if (a === ANY || b === ANY) return a === ANY ? b : a;
    this.sums++;
    if (a !== b) this.#say(node, `${a} beside ${b}`);
    return a === b ? a : null;
  }

  #isRound(node: Node): boolean {
    return isCallExpression(node) && ROUNDS.test(textOf(node.expression, this.#file!));
  }

  #nameOf(type: Type): string | null {
    const known = this.#kindOfType.get(type.id);
    if (known !== undefined) return known;
    const names = this.#checker
      .typeToString(type)
      .split(' | ')
      .map(nameOfKind)
      .filter((name) => KINDS.has(name));
    const named = names.length === 1 ? names[0]! : null;
    this.#kindOfType.set(type.id, named);
    return named;
  }

  #say(node: Node, message: string): void {
    const { fileName, text } = this.#file!;
    const start = node.getStart(this.#file!);
    this.mixes.push({ file: fileName, line: text.slice(0, start).split('\n').length, message });
  }
}

/** What is read from an array of times is printed by its members: `number & { readonly kind?: "epoch seconds"; … }`. */
function nameOfKind(printed: string): string {
  const kind = /kind\?: "([a-z ]+)"/.exec(printed)?.[1];
  if (kind === undefined) return printed;
  return kind.replace(/(?:^| )([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isSum(node: Node): boolean {
  if (!isBinaryExpression(node)) return false;
  const { kind } = node.operatorToken;
  return SUMS.has(kind) || COMPARED.has(kind) || PRODUCTS.has(kind);
}

/** What a sum is made of. */
function leavesOf(node: Expression, out: Node[]): void {
  if (isBinaryExpression(node)) {
    leavesOf(node.left, out);
    leavesOf(node.right, out);
  } else if (isParenthesizedExpression(node) || isNonNullExpression(node)) leavesOf(node.expression, out);
  else if (isConditionalExpression(node)) {
    leavesOf(node.whenTrue, out);
    leavesOf(node.whenFalse, out);
  } else {
    if (isCallExpression(node)) for (const each of node.arguments) leavesOf(each as Expression, out);
    if (!isNumericLiteral(node)) out.push(node);
  }
}

function isNumber(node: Expression): boolean {
  if (isNumericLiteral(node)) return true;
  const bare = node as Expression & { readonly operand?: Expression };
  if (node.kind === Kind.PrefixUnaryExpression && bare.operand !== undefined)
    return isNumericLiteral(bare.operand);
  return (
    isPropertyAccessExpression(node) && isIdentifier(node.expression) && node.expression.text === 'Number'
  );
}

function isThousand(node: Expression): boolean {
  return isNumericLiteral(node) && node.text.replaceAll('_', '') === '1000';
}

function textOf(node: Node, file: SourceFile): string {
  return file.text.slice(node.getStart(file), node.end);
}
