import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { systemNode, userEnvironment } from '../package/system-node.ts';
import { type Instruction, inContext, type Stage, stagesOf, wordsOf } from '../packaging/dockerfile.ts';
import { data, dig } from './dig.ts';
import { probe } from './peers.ts';
import { freePort, missingForRoot, run, start, until } from './process.ts';

/**
 * No engine builds an image here. Each stage of the Dockerfile is a folder that stands for its file system: COPY
 * copies, RUN is a shell script whose absolute paths point into the folder, and what ENTRYPOINT, CMD and
 * HEALTHCHECK name is run from there as the user that USER names. The machine stands for the base images.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const ignore = readFileSync(join(root, '.dockerignore'), 'utf8');
const system = systemNode();
const skip =
  system === null || system.npm === ''
    ? 'this machine has no Node and npm of its own'
    : missingForRoot('setpriv', 'dig');

/** Paths that belong to the image; programs and libraries are the machine's. */
const OWN = /(^|[\s"'=])(\/(?:opt|etc\/namegate|var)(?=[/\s"']|$))/g;

// npm installs and prunes here, by the network where its cache is cold.
t.setTimeout(400_000);

t.test('the Dockerfile, as a script', { skip }, async (t) => {
  const work = mkdtempSync(join(tmpdir(), 'namegate-image-'));
  // The image's user reads it too.
  chmodSync(work, 0o755);
  t.teardown(() => rmSync(work, { recursive: true, force: true }));
  const stages = stagesOf(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  const folderOf = (name: string) => join(work, name);

  for (const stage of stages) {
    const started = performance.now();
    await build(stage);
    t.comment(`stage ${stage.name} took ${Math.round((performance.now() - started) / 1000)} s`);
  }

  async function build({ name, instructions }: Stage): Promise<void> {
    const folder = folderOf(name);
    mkdirSync(folder, { mode: 0o755 });
    let cwd = '/';
    for (const instruction of instructions) {
      if (instruction.keyword === 'WORKDIR') {
        cwd = instruction.text;
        mkdirSync(join(folder, cwd), { recursive: true });
      } else if (instruction.keyword === 'COPY') {
        copy(instruction, folder, cwd);
      } else if (instruction.keyword === 'RUN') {
        const script = inside(instruction.text, folder);
        const environment = userEnvironment(system?.path ?? '', { npm_config_prefer_offline: 'true' });
        const { code, stdout, stderr } = await run(['sh', '-e', '-c', script], {
          cwd: join(folder, cwd),
          environment,
          patience: 300_000,
        });
        if (code !== 0)
          throw new Error(`line ${instruction.line} exited ${code}: ${script}\n${stdout}${stderr}`);
        t.pass(`line ${instruction.line}: ${instruction.text}`);
      }
    }
  }

  function copy({ flags, text }: Instruction, folder: string, cwd: string): void {
    const words = text.split(/\s+/);
    const last = words.at(-1) ?? '';
    const target = join(folder, last.startsWith('/') ? last : join(cwd, last));
    for (const source of words.slice(0, -1)) {
      const from = flags['from'] === undefined ? join(root, source) : join(folderOf(flags['from']), source);
      const into =
        statSync(from).isFile() && (last.endsWith('/') || words.length > 2)
          ? join(target, basename(from))
          : target;
      cpSync(from, into, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) =>
          flags['from'] !== undefined || path === from || inContext(ignore, relative(root, path)),
      });
    }
  }

  const image = stages.at(-1) as Stage;
  const folder = folderOf(image.name);
  const textOf = (keyword: string) =>
    image.instructions.findLast((found) => found.keyword === keyword)?.text ?? '';

  await t.test('what is in it', async (t) => {
    const home = join(folder, 'opt/namegate');
    for (const path of [
      'dist/main.js',
      'node_modules/.bin/node',
      'node_modules/pino',
      'package.json',
      'LICENSE',
    ]) {
      t.ok(existsSync(join(home, path)), path);
    }
    for (const path of [
      'src',
      'test',
      '.git',
      'node_modules/typescript',
      'node_modules/tap',
      'node_modules/.bin/tsc',
    ]) {
      t.notOk(existsSync(join(home, path)), `no ${path}`);
    }
  });

  await t.test('its policy is clean, and knows the networks of Docker; the command is on PATH', async (t) => {
    const command = join(folder, 'usr/local/bin/namegate');
    writeFileSync(command, inside(readFileSync(command, 'utf8'), folder));
    const etc = join(folder, 'etc/namegate');
    const checked = await run(['sh', command, 'check', etc.concat('/policy')]);
    t.equal(checked.code, 0, checked.stdout);
    t.match(checked.stdout, /\ngood\n$/, 'without a warning');
    for (const from of ['172.17.0.2', '172.31.9.9', '192.168.3.4', 'fd00::2', '127.0.0.1']) {
      const words = [
        'explain',
        '--config',
        join(etc, 'namegate.yaml'),
        '--from',
        from,
        'hello.namegate.example',
      ];
      const { code, stdout } = await run(['sh', command, ...words]);
      t.equal(code, 0, `${from}: ${stdout}`);
    }
  });

  await t.test('it serves as its user, and its health check sees it', async (t) => {
    const [port, health] = [await freePort(), await freePort()];
    const mapped = (text: string) =>
      inside(text, folder)
        .replaceAll('0.0.0.0:53', `127.0.0.1:${port}`)
        .replaceAll('127.0.0.1:9153', `127.0.0.1:${health}`);
    const config = join(folder, 'etc/namegate/namegate.yaml');
    writeFileSync(config, mapped(readFileSync(config, 'utf8')));
    const [user = '', group = ''] = textOf('USER').split(':');
    const asUser = ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--no-new-privs'];
    const command = [...(wordsOf(textOf('ENTRYPOINT')) ?? []), ...(wordsOf(textOf('CMD')) ?? [])].map(mapped);
    const check = (wordsOf(textOf('HEALTHCHECK').replace(/^CMD /, '')) ?? []).map(mapped);
    const server = { host: '127.0.0.1', port };

    t.equal((await run([...asUser, ...check])).code, 1, 'unhealthy before it runs');
    const running = start(t, [...asUser, ...command], {
      env: { NAMEGATE_UPSTREAM: `udp://127.0.0.1:${await freePort()}` },
    });
    await until(() => probe(server), running.log);
    t.strictSame(data(await dig(server, 'localhost A'), 'A'), ['127.0.0.1']);
    t.equal((await run([...asUser, ...check])).code, 0, 'healthy while it does');
    t.strictSame(data(await dig(server, 'hello.namegate.example A'), 'A'), ['192.0.2.1'], 'its own policy');
    t.equal(await running.stop(), 0, 'SIGTERM ends it well');
    t.equal((await run([...asUser, ...check])).code, 1, 'and not after');
  });

  function inside(text: string, target: string): string {
    return text.replace(OWN, (_, before: string, path: string) => `${before}${target}${path}`);
  }
});
