import { SyntaxKind as Kind, type Node } from 'typescript/unstable/ast';
import {
  isClassDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is';
import { API, type Symbol as Declared } from 'typescript/unstable/sync';

/** A function, a constant or a class that a file of `within` gives away, and who takes it. */
export interface Export {
  readonly file: string;
  readonly name: string;
  /** Some other file of `within` uses it. */
  readonly isUsed: boolean;
  /** Its own file uses it. */
  readonly isUsedInside: boolean;
  /** A file of the project outside of `within` uses it. */
  readonly isUsedOutside: boolean;
}

const ALIAS = 2_097_152;

/** All that files below `within` export by name, but types: a type may be the shape of what a function gives. */
export function exportsOf(config: string, within: string): Export[] {
  const api = new API({ cwd: within });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProjects()[0]!;
    const { checker, program } = project;
    const real = new Map<number, Declared>();
    const uses = new Map<string, Set<string>>();
    const found: { readonly key: string; readonly file: string; readonly name: string }[] = [];
    for (const file of program.getSourceFileNames()) {
      if (file.includes('/node_modules/')) continue;
      const names: Node[] = [];
      const visit = (node: Node): void => {
        if (isIdentifier(node)) names.push(node);
        node.forEachChild(visit);
      };
      visit(program.getSourceFile(file)!);
      for (const [i, symbol] of checker.getSymbolAtLocation(names).entries()) {
        if (symbol === undefined) continue;
        let of = symbol;
        if ((symbol.flags & ALIAS) !== 0) {
          of = real.get(symbol.id) ?? checker.getAliasedSymbol(symbol);
          real.set(symbol.id, of);
        }
        const declared = of.valueDeclaration;
        if (declared === undefined || !declared.path.startsWith(within)) continue;
        const key = `${declared.path} ${declared.index}`;
        const node = names[i]!;
        if (isGiven(node)) found.push({ key, file, name: of.name });
        else if (!isPassedOn(node)) uses.set(key, (uses.get(key) ?? new Set()).add(file));
      }
    }
    return found.map(({ key, file, name }) => {
      const by = [...(uses.get(key) ?? [])];
      return {
        file: file.slice(within.length),
        name,
        isUsed: by.some((each) => each !== file && each.startsWith(within)),
        isUsedInside: by.includes(file),
        isUsedOutside: by.some((each) => !each.startsWith(within)),
      };
    });
  } finally {
    api.close();
  }
}

/** Whether a name is that of a declaration with `export` before it. */
function isGiven(name: Node): boolean {
  const { parent } = name;
  const isFirst = (parent as Node & { readonly name?: Node }).name === name;
  if (!isFirst) return false;
  const statement = isVariableDeclaration(parent) ? parent.parent.parent : parent;
  if (!isVariableDeclaration(parent) && !isFunctionDeclaration(parent) && !isClassDeclaration(parent))
    return false;
  const { modifiers } = statement as Node & { readonly modifiers?: readonly Node[] };
  return modifiers?.some(({ kind }) => kind === Kind.ExportKeyword) === true;
}

/** Whether a name stands in an import, or in a list of what is exported. */
function isPassedOn({ parent }: Node): boolean {
  return parent.kind === Kind.ImportSpecifier || parent.kind === Kind.ExportSpecifier;
}
