import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { askAt } from '../admin/house.ts';
import { dig } from './dig.ts';
import { namegate } from './peers.ts';
import { missingForRoot, type Output, run } from './process.ts';

/** The runner's hooks as the README installs them: a real sudo rule, a socket that is root's, a job without rights. */

const HOOKS = fileURLToPath(new URL('../../packaging/github-runner', import.meta.url));
const JOB = '127.0.0.77';

const POLICY = `identities:
  - name: idle-runner
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: []
  - name: payments-build
    owner: team
    review_by: 2099-01-01
    from: { addresses: [] }
    allow: [{ name: job.example, owner: team, reason: test }]
records:
  - { name: job.example, type: A, data: 192.0.2.7 }
`;

const skip = missingForRoot('sudo', 'setpriv', 'unshare', 'curl', 'dig');

t.test('a job has its lease while it runs, and cannot take another', { skip, timeout: 60_000 }, async (t) => {
  const server = await namegate(t, {
    policy: POLICY,
    upstream: '["udp://127.0.0.1:9"]',
    server: 'admin: unix:admin.sock',
  });
  const socket = join(server.folder, 'admin.sock');
  const inside = join(server.folder, 'inside.sh');
  writeFileSync(
    join(server.folder, 'runner.conf'),
    `admin unix:${socket}\npatience 5\nallow payments-build ${JOB}\n`,
  );
  // What the README installs, over a copy of the machine's folders that this shell alone sees.
  writeFileSync(
    inside,
    `set -euo pipefail
mkdir -p ${server.folder}/layer
mount -t tmpfs none ${server.folder}/layer
mkdir ${server.folder}/layer/{up,work}
mount -t overlay none -o lowerdir=/etc,upperdir=${server.folder}/layer/up,workdir=${server.folder}/layer/work /etc
mount -t tmpfs none /usr/local
mount -t tmpfs none /run
mkdir -p ${server.folder}/lib
mount --bind ${server.folder}/lib /var/lib
install -d -m 755 /usr/local/libexec/namegate /etc/namegate /etc/sudoers.d
install -o root -g root -m 755 ${HOOKS}/runner-lease ${HOOKS}/job-started.sh ${HOOKS}/job-completed.sh /usr/local/libexec/namegate/
install -o root -g root -m 600 ${server.folder}/runner.conf /etc/namegate/runner.conf
sed 's/^runner /nobody /' ${HOOKS}/sudoers >/etc/sudoers.d/namegate-runner
chmod 440 /etc/sudoers.d/namegate-runner
visudo -cq -f /etc/sudoers.d/namegate-runner
exec setpriv --reuid 65534 --regid 65534 --clear-groups env -i "$@"
`,
  );
  const asJob = (...command: string[]): Promise<Output> =>
    run(['unshare', '--mount', '--propagation', 'private', 'bash', inside, ...command]);
  const settings = ['NAMEGATE_IDENTITY=payments-build', `NAMEGATE_ADDRESS=${JOB}`, 'GITHUB_RUN_ID=7'];
  const hook = (name: string, ...env: string[]): Promise<Output> =>
    asJob(...settings, ...env, `/usr/local/libexec/namegate/${name}`);
  const resolves = async (): Promise<string> => (await dig(server, `-b ${JOB} job.example A`)).status;

  t.equal(await resolves(), 'NXDOMAIN', 'an idle runner resolves nothing');
  const started = await hook('job-started.sh');
  t.equal(started.code, 0, started.stderr);
  t.equal(await resolves(), 'NOERROR');

  const peeking = await asJob(
    '/bin/sh',
    '-c',
    `cat /etc/namegate/runner.conf; /usr/bin/curl -s --unix-socket ${socket} http://x/v1/leases; ls /var/lib/namegate-runner`,
  );
  t.equal(peeking.stdout, '', 'the job reads neither the file nor the socket nor the record');
  const again = await hook('job-started.sh');
  t.equal(again.code, 0, `a job that was cut off by a reboot is in nobody's way: ${again.stderr}`);
  t.equal(await resolves(), 'NOERROR');
  const other = await hook('job-started.sh', 'NAMEGATE_ADDRESS=127.0.0.78');
  t.equal(other.code, 2, "another address is not the hook's to lease");
  t.match(other.stderr, /does not allow "payments-build 127\.0\.0\.78"/);
  const elsewhere = await hook(
    'job-started.sh',
    'NAMEGATE_ADMIN=http://127.0.0.1:9',
    'NAMEGATE_TOKEN_FILE=/etc/shadow',
  );
  t.equal(elsewhere.code, 0, 'servers and credential are those of the file, whatever the job says');
  t.equal(await resolves(), 'NOERROR');
  t.equal((await hook('job-completed.sh')).code, 0);
  t.equal(await resolves(), 'NXDOMAIN', 'its end is the end of its lease');
  const taken = { identity: 'payments-build', address: JOB, ttl: 60 };
  t.equal((await askAt(`unix:${socket}`, 'POST', '/v1/leases', taken)).status, 201);
  const late = await hook('job-started.sh');
  t.equal(late.code, 1, "somebody else's lease fails the job");
  t.match(late.stderr, /admin\.sock.* 409 /);
});
