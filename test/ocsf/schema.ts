import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

const ajv = new Ajv2020({ strict: false, allErrors: true });

function read(file: string): ValidateFunction {
  return ajv.compile(JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')));
}

const CLASSES: ReadonlyMap<number, ValidateFunction> = new Map([
  [4003, read('dns_activity.schema.json')],
  [2004, read('detection_finding.schema.json')],
]);

/** What is wrong with an event by the schema of its class, one line each; empty where it is valid. */
export function faultsOf(event: Readonly<Record<string, unknown>>): string[] {
  const validate = CLASSES.get(event['class_uid'] as number);
  if (validate === undefined)
    return [`class_uid ${String(event['class_uid'])} is of no class that is known here`];
  if (validate(event)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
