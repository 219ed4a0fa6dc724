import { Argument, Command } from 'commander';
import { jsonSchema } from '../../config/schema/schema.ts';
import type { Terminal } from '../terminal.ts';

export function schemaVerb(terminal: Terminal): Command {
  return new Command('schema')
    .description('Print the JSON Schema of the server file or of policy files.')
    .addArgument(new Argument('<kind>', 'which schema').choices(['server', 'policy']))
    .addHelpText('after', '\nExamples:\n  $ namegate schema policy > policy.schema.json')
    .action((kind: 'server' | 'policy') => {
      terminal.print(JSON.stringify(jsonSchema(kind), null, 2));
    });
}
