import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { inContext, stagesOf, wordsOf } from './dockerfile.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const stages = stagesOf(read('Dockerfile'));
const last = stages.at(-1) ?? { name: '', image: '', instructions: [] };

t.test('the Dockerfile is read whole', async (t) => {
  const known = ['RUN', 'WORKDIR', 'COPY', 'USER', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'];
  for (const { keyword, line } of stages.flatMap(({ instructions }) => instructions)) {
    t.ok(known.includes(keyword), `line ${line}: ${keyword}`);
  }
  t.ok(stages.length >= 2, 'it has a stage to build in and one to run');
});

t.test('base images are pinned', async (t) => {
  for (const { image } of stages) t.match(image, /^[a-z]+:\d+\.\d+/, image);
});

t.test('what is copied exists and is in the context', async (t) => {
  const ignore = read('.dockerignore');
  for (const { name, instructions } of stages) {
    for (const { flags, text, line } of instructions.filter(({ keyword }) => keyword === 'COPY')) {
      const sources = text.split(/\s+/).slice(0, -1);
      t.not(sources.length, 0);
      if (flags['from'] !== undefined) {
        t.ok(
          stages.some((stage) => stage.name === flags['from'] && stage.name !== name),
          `line ${line}: a stage`,
        );
        continue;
      }
      for (const source of sources) {
        t.ok(existsSync(join(root, source)), `line ${line}: ${source} exists`);
        t.ok(inContext(ignore, source), `line ${line}: ${source} is in the context`);
      }
    }
  }
  for (const path of [
    'node_modules/yaml',
    '.git/HEAD',
    'test/architecture.test.ts',
    'config/state/x',
    'dist/main.js',
  ]) {
    t.notOk(inContext(ignore, path), `${path} is not`);
  }
});

t.test('the last stage', async (t) => {
  const of = (keyword: string) => last.instructions.filter((instruction) => instruction.keyword === keyword);

  t.test('ends as a user without privileges, by number', async (t) => {
    const user = of('USER').at(-1)?.text ?? '';
    t.match(user, /^[1-9]\d*:[1-9]\d*$/, 'Kubernetes can check runAsNonRoot');
    const after = last.instructions.slice(
      last.instructions.findLastIndex(({ keyword }) => keyword === 'USER') + 1,
    );
    t.notOk(
      after.some(({ keyword }) => keyword === 'RUN' || keyword === 'COPY'),
      'nothing is put there later',
    );
  });

  t.test('has no build tools', async (t) => {
    t.notMatch(last.image, /node/);
    for (const { text } of of('RUN')) {
      t.notMatch(text, /\b(?:npm|tsc|gcc|make|python3?|curl|git)\b/);
      const [, packages] = /apt-get install (?:--\S+ )*([^&]*)/.exec(text) ?? [];
      if (packages !== undefined) t.equal(packages.trim(), 'libatomic1');
    }
  });

  t.test('serves, and is asked for its health by its own runtime', async (t) => {
    const entry = wordsOf(of('ENTRYPOINT').at(-1)?.text ?? '') ?? [];
    const command = wordsOf(of('CMD').at(-1)?.text ?? '') ?? [];
    t.strictSame(command, ['serve', '--config', '/etc/namegate/namegate.yaml']);
    t.match(entry.at(-1), /dist\/main\.js$/);
    const health = wordsOf((of('HEALTHCHECK').at(-1)?.text ?? '').replace(/^CMD /, '')) ?? [];
    t.equal(health[0], entry[0]);
    const server = read('packaging/container/namegate.yaml');
    const [, metrics] = /^metrics: (\S+)/m.exec(server) ?? [];
    t.match(health.at(-1), `${metrics}/health`, 'where the server file says');
    const ports = (of('EXPOSE').at(-1)?.text ?? '').split(' ');
    const listen = [...server.matchAll(/^ {2}- (\w+):\/\/0\.0\.0\.0:(\d+)$/gm)];
    t.strictSame(ports.sort(), listen.map(([, protocol, port]) => `${port}/${protocol}`).sort());
  });
});
