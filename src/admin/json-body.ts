import type { FastifyInstance } from 'fastify';

/**
 * Takes JSON as RFC 7493 (I-JSON) has it: of two members with one name the parser keeps the last, others the first, so
 * that such a body is refused. `__proto__` and the like are refused too.
 */
export function takeStrictJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    parse(request, body, (error, value) => {
      const twice = error === null ? memberWrittenTwice(body) : null;
      if (twice === null) done(error, value);
      else done(Object.assign(new Error(`${JSON.stringify(twice)} is written twice`), { statusCode: 400 }));
    });
  });
}

const STRING = /"(?:[^"\\]|\\.)*"/y;

/** The first name that stands twice in an object of `json`, which is sound JSON; null where none does. */
export function memberWrittenTwice(json: string): string | null {
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
        if (names.has(name)) return name;
        names.add(name);
        atName = false;
      }
    }
  }
  return null;
}
