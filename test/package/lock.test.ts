import { readFileSync } from 'node:fs';
import t from 'tap';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const read = (file: string) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
const packages = (read('package-lock.json') as { packages: Record<string, Locked> }).packages;
const manifest = read('package.json') as Locked;

t.test('the lock file holds every dependency, also those of other platforms', async (t) => {
  // `npm ci` refuses a lock without them, and `npm install` leaves out what its registry does not carry.
  const absent: string[] = [];
  for (const [path, locked] of Object.entries(packages)) {
    const wanted = {
      ...locked.dependencies,
      ...locked.optionalDependencies,
      ...(path === '' ? locked.devDependencies : {}),
    };
    for (const name of Object.keys(wanted))
      if (!isFound(path, name)) absent.push(`${path || 'namegate'} → ${name}`);
  }
  t.strictSame(absent, []);
});

t.test('the lock file is of this package.json, whose versions are exact', async (t) => {
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'] as const) {
    t.strictSame(packages['']?.[kind], manifest[kind], kind);
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      t.match(version, /^\d+\.\d+\.\d+$/, name);
      t.equal(packages[`node_modules/${name}`]?.version, version, name);
    }
  }
});

t.test('what runs in production is pinned by hash', async (t) => {
  const production = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  t.ok(production.length > Object.keys(manifest.dependencies ?? {}).length);
  for (const [path, { integrity }] of production) t.match(integrity, /^sha512-/, path);
});

t.test('the packaged Node comes without an install script', async (t) => {
  for (const name of Object.keys(manifest.optionalDependencies ?? {})) {
    t.not(packages[`node_modules/${name}`]?.hasInstallScript, true, name);
  }
});

t.test('npm warns of no package that wants a newer Node than the one that runs npm', async (t) => {
  const settings = readFileSync(new URL('../../.npmrc', import.meta.url), 'utf8');
  t.match(settings, /^loglevel=error$/m, 'npm on Node 20 says EBADENGINE at level warn');
  t.notMatch(settings, /engine-strict/, 'and never fails for it');
});

/** Whether Node, looking from a package's folder upwards, would find `name`. */
function isFound(path: string, name: string): boolean {
  if (packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`] !== undefined) return true;
  return path !== '' && isFound(path.slice(0, Math.max(0, path.lastIndexOf('node_modules/') - 1)), name);
}
