import type { FastifyInstance } from 'fastify';

/**
 * Takes JSON as RFC 7493 (I-JSON) has it: of two members with one name the parser keeps the last, others the first, so
 * that such a body is refused. So are names that mean something to JavaScript. A DELETE needs no body, whatever its type says.
 */
export function takeStrictJson(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    const refuse = (text: string): void => done(Object.assign(new Error(text), { statusCode: 400 }));
    if (body === '' && request.method === 'DELETE') return done(null, undefined);
    if (body === '') return refuse('the body is empty: write JSON');
    let value: unknown;
    try {
      value = JSON.parse(body);
    } catch {
      return refuse('the body is not valid JSON');
    }
    const fault = memberFault(body);
    return fault === null ? done(null, value) : refuse(fault);
  });
}

const BARRED = new Set(['__proto__', 'constructor', 'prototype']);

const STRING = /"(?:[^"\\]|\\.)*"/y;

/** What is wrong with the names in the objects of `json`, which is sound JSON, or null. */
function memberFault(json: string): string | null {
  // The names of each object that is open; null for an array.
  const open: (Set<string> | null)[] = [];
  let atName = false;
  for (let at = 0; at < json.length; at++) {
    const names = open.at(-1) ?? null;
    switch (json[at]) {
      case '{':
        open.push(new Set());
        atName = true;
        break;
      case '[':
        open.push(null);
        atName = false;
        break;
      case '}':
      case ']':
        open.pop();
        atName = false;
        break;
      case ',':
        atName = names !== null;
        break;
      case '"': {
        STRING.lastIndex = at;
        const text = STRING.exec(json)![0];
        at += text.length - 1;
        if (!atName || names === null) break;
        const name = JSON.parse(text) as string;
        if (BARRED.has(name)) return `${JSON.stringify(name)} is no name that is taken here`;
        if (names.has(name)) return `${JSON.stringify(name)} is written twice`;
        names.add(name);
        atName = false;
        break;
      }
      default:
      // Blanks, colons, numbers and words name nothing.
    }
  }
  return null;
}
