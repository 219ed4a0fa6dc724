import { Argument, Command } from 'commander';
import { jsonSchema } from '../config/schema.ts';
import { type Done, EXIT_GOOD, print } from './terminal.ts';

export function schemaVerb(done: Done): Command {
  return new Command('schema')
    .description('Print the JSON Schema of the server file or of policy files.')
    .addArgument(new Argument('<kind>', 'which schema').choices(['server', 'policy']))
    .addHelpText('after', '\nExamples:\n  $ namegate schema policy > policy.schema.json')
    .action((kind: 'server' | 'policy') => {
      print(JSON.stringify(jsonSchema(kind), null, 2));
      done(EXIT_GOOD);
    });
}
