import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Dialled } from './dialler.ts';
import {
  address,
  api,
  CLIENTS,
  CONNECTIONS,
  counted,
  DNS,
  enforce,
  JOB,
  lab,
  main,
  OTHER,
  PORTS,
  policy,
  ready,
  serve,
} from './enforce-lab.ts';
import { missingForRoot, must, run, SLOW, until } from './process.ts';

t.test(
  'only what was resolved may be connected to',
  { skip: missingForRoot('ip', 'nft', 'sysctl', 'setpriv') },
  async (t) => {
    // What is started anew in a part lasts until the end of all.
    const outer = t;
    const here = await lab(t);
    const { job, folder, host } = here;
    const tcp = (where: string, port = 443, from = JOB) => job.do({ deed: 'tcp', host: where, port, from });
    const dns = (name: string, type = 'A', from = JOB) =>
      job.do({ deed: 'dns', name, type, server: DNS, from });
    const is = async (wanted: string, dialled: Promise<Dialled>, what: string): Promise<void> => {
      t.equal((await dialled).result, wanted, what);
    };

    await is('ECONNREFUSED', tcp(address(0)), 'nothing was answered yet');
    await is('ECONNREFUSED', tcp(DNS, 9153), 'nor is the machine itself open');
    t.comment(
      await must([process.execPath, main, 'enforce', '--check', '--config', join(folder, 'namegate.yaml')], {
        namespace: host,
      }),
    );

    const accepted = await counted(CONNECTIONS, (i) =>
      job.do({ deed: 'both', name: `n${i}.lab.example`, server: DNS, port: 443, from: CLIENTS[i % 4]! }),
    );
    t.same(
      accepted.results,
      { ok: CONNECTIONS },
      `each connection in the instant after its answer (${accepted.times})`,
    );
    await t.test('what was refused comes back', async (t) => {
      const udp = { deed: 'udp', host: address(1), port: 443, from: JOB } as const;
      t.equal((await tcp(address(1), 443, OTHER)).result, 'ECONNREFUSED', 'granted to another');
      t.not((await job.do(udp)).result, 'ok', 'another protocol');
      t.equal((await job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 })).result, 'ECONNREFUSED');
      const wanted: readonly [key: string, target: string | null][] = [
        [`${JOB} to ${DNS} tcp/9153`, null],
        [`${OTHER} to ${address(1)} tcp/443`, 'n1.lab.example'],
        [`${JOB} to ${address(1)} udp/443`, 'n1.lab.example'],
        ['fd00:77::2 to 2001:db8:6::1 tcp/443', null],
      ];
      let found: readonly Record<string, unknown>[] = [];
      await until(
        async () => {
          const list = (await api(folder, 'GET', '/v1/findings')) as unknown as { findings: typeof found };
          found = list.findings;
          return wanted.every(([key]) => found.some((finding) => finding['key'] === key));
        },
        () => JSON.stringify(found),
      );
      for (const [key, target] of wanted) {
        const finding = found.find((each) => each['key'] === key)!;
        t.match(finding, { kind: 'direct-address', severity: 'medium', identity: 'job', state: 'open' }, key);
        t.equal(finding['target'], target, 'the name that was granted there');
      }
      t.equal(found.filter(({ kind }) => kind === 'direct-address').length, 5, 'and nothing else');
    });
    const kinds: [string, (i: number) => Promise<Dialled>, string?][] = [
      ['an address that was not answered', (i) => tcp(`203.0.200.${i & 255}`)],
      ['what was answered to another client', (i) => tcp(address(i), 443, OTHER)],
      ['another port', (i) => tcp(address(i), PORTS[1 + (i % 3)], CLIENTS[i % 4])],
      [
        'another protocol',
        (i) => job.do({ deed: 'udp', host: address(i), port: 443, from: CLIENTS[i % 4]! }),
        'EHOSTUNREACH',
      ],
      ['IPv6', (i) => job.do({ deed: 'tcp', host: `2001:db8:6::${(i & 0xfff).toString(16)}`, port: 443 })],
    ];
    for (const [what, deed, refusal = 'ECONNREFUSED'] of kinds) {
      const { results, times } = await counted(CONNECTIONS, deed);
      // How many ICMP messages a kernel sends is not for each namespace to say.
      const silent = refusal === 'ECONNREFUSED' ? 0 : (results['silence'] ?? 0);
      t.ok(silent <= CONNECTIONS / 2, `${silent} of ${CONNECTIONS} were refused without a word`);
      t.equal((results[refusal] ?? 0) + silent, CONNECTIONS, `${what}: refused (${times})`);
    }
    t.equal((await dns('ports.lab.example')).result, 'ok');
    await is('ok', tcp('198.51.100.1', 80), 'a port of the rule');
    await is('ok', tcp('198.51.100.1', 8001), 'one of its range');
    await is('ok', job.do({ deed: 'udp', host: '198.51.100.1', port: 443, from: JOB }), 'over UDP');
    await is('ECONNREFUSED', tcp('198.51.100.1', 443), 'not the default');

    t.equal((await dns('six.lab.example', 'AAAA')).result, 'ok', 'over IPv4');
    await is('ECONNREFUSED', job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 }), 'that opens no IPv6');
    const six = { deed: 'dns', name: 'six.lab.example', type: 'AAAA', server: '[fd00:77::1]' } as const;
    t.equal((await job.do(six)).result, 'ok');
    await is('ok', job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 }), 'over IPv6 it does');

    const pool = await dns('many.lab.example');
    t.equal(pool.addresses.length, 200);
    const all = await counted(200, (i) => tcp(pool.addresses[i]!));
    t.same(all.results, { ok: 200 }, 'a pool of 200');
    await is('ESERVFAIL', dns('crowd.lab.example'), 'more addresses than a name may have');

    await t.test('a rule that ends takes its grants, and leaves connections', async (t) => {
      // A policy of many names takes a while to load.
      const end = Math.ceil(Date.now() / 1000 + SLOW * 4 + CONNECTIONS / 500) * 1000;
      writeFileSync(join(folder, 'policy.yaml'), policy(new Date(end)));
      here.server.kill('SIGHUP');
      await until(() => here.server.log().includes('"policy-loaded"'), here.server.log, 60_000);
      t.equal((await dns('ends.lab.example')).result, 'ok');
      const long = { host: '198.51.100.2', port: 443, from: JOB, hold: 'long' };
      t.equal((await job.do({ deed: 'tcp', ...long })).result, 'ok');
      await until(
        () => Date.now() > end + 200,
        () => 'the time has not come',
        60_000,
      );
      t.equal((await tcp('198.51.100.2')).result, 'ECONNREFUSED', 'to the second');
      t.equal(
        (await job.do({ deed: 'echo', hold: 'long' })).result,
        'ok',
        'the connection outlives its grant',
      );
    });

    await t.test('the end of a lease cuts its connections', async (t) => {
      const lease = await api(folder, 'POST', '/v1/leases', {
        identity: 'job',
        addresses: [JOB],
        ttl: 600,
      });
      t.equal((await tcp(address(2))).result, 'ECONNREFUSED', 'the lease begins with nothing');
      t.equal((await dns('n2.lab.example')).result, 'ok');
      t.equal(
        (await job.do({ deed: 'tcp', host: address(2), port: 443, from: JOB, hold: 'cut' })).result,
        'ok',
      );
      t.equal((await job.do({ deed: 'echo', hold: 'cut' })).result, 'ok');
      // The server of this one never stops to send.
      t.equal((await dns('ports.lab.example')).result, 'ok');
      const push = { deed: 'tcp', host: '198.51.100.1', port: 8002, from: JOB, hold: 'push' } as const;
      t.equal((await job.do(push)).result, 'ok');
      t.equal((await job.do({ deed: 'pushed', hold: 'push', ms: 50 })).result, 'ok');
      await api(folder, 'DELETE', `/v1/leases/${lease.id}`);
      t.equal(
        (await job.do({ deed: 'pushed', hold: 'push', ms: 500 })).result,
        'gone',
        'whatever it is sent',
      );
      let direct: { rows?: { address: string }[] } | undefined;
      await until(
        async () => {
          const report = await api(folder, 'GET', `/v1/leases/${lease.id}/report`);
          direct = (report as unknown as { direct?: typeof direct }).direct;
          return direct?.rows?.some((row) => row.address === address(2)) === true;
        },
        () => `the report has ${JSON.stringify(direct)}`,
      );
      const told = [
        'report',
        '--lease',
        lease.id,
        '--fail-on',
        'deny',
        '--admin',
        `unix:${folder}/admin.sock`,
      ];
      const { code, stdout } = await run([process.execPath, main, ...told], { namespace: host });
      t.equal(code, 1, 'the job that tried an address fails');
      t.match(stdout, `${address(2)} tcp/443, which was n2.lab.example last`);
      t.equal((await tcp(address(2))).result, 'ECONNREFUSED', 'its grants are gone when the API answers');
      t.equal((await job.do({ deed: 'echo', hold: 'cut' })).result, 'gone');
    });

    await t.test('either side is killed, and is back', async (t) => {
      t.equal((await dns('n3.lab.example')).result, 'ok');
      here.enforcer.kill('SIGKILL');
      await until(() => here.enforcer.ended(), here.enforcer.log);
      t.equal((await tcp(address(3))).result, 'ok', 'what was granted stays');
      t.equal((await tcp(address(4))).result, 'ECONNREFUSED', 'what was not does too');
      t.equal((await dns('n3.lab.example')).result, 'ok', 'a name whose grant is there is answered');
      t.equal((await dns('n5.lab.example')).result, 'ESERVFAIL', 'no other');
      t.match(await ready(host), /enforce-down/);
      here.enforcer = await enforce(outer, folder, host);
      await until(async () => (await dns('n5.lab.example')).result === 'ok', here.server.log);
      t.equal((await tcp(address(5))).result, 'ok');

      here.server.kill('SIGKILL');
      await until(() => here.server.ended(), here.server.log);
      t.equal((await tcp(address(5))).result, 'ok', 'without the server too');
      t.equal((await tcp(address(6))).result, 'ECONNREFUSED');
      here.server = await serve(outer, folder, host);
      t.equal((await tcp(address(5))).result, 'ok', 'and when it is back');
    });

    await t.test('rules that somebody flushes are noticed', async (t) => {
      t.equal((await dns('n7.lab.example')).result, 'ok');
      t.equal((await dns('ports.lab.example')).result, 'ok');
      const holds: Record<string, string> = { good: '198.51.100.1', bad: '203.0.200.9' };
      const pushed = (hold: string) =>
        ({ deed: 'tcp', host: holds[hold]!, port: 8002, from: JOB, hold }) as const;
      t.equal((await job.do(pushed('good'))).result, 'ok');
      await must(['nft', 'flush', 'ruleset'], { namespace: host });
      const flushed = Date.now();
      t.equal((await job.do(pushed('bad'))).result, 'ok', 'nobody judges');
      await until(async () => (await ready(host)).includes('enforce-rules'), here.server.log);
      t.comment(`noticed within ${Date.now() - flushed} ms`);
      t.equal((await tcp(address(7))).result, 'ok', 'what was granted is back with the rules');
      await until(
        async () => (await job.do({ deed: 'echo', hold: 'bad' })).result === 'gone',
        here.server.log,
      );
      t.equal(
        (await job.do({ deed: 'pushed', hold: 'good', ms: 300 })).result,
        'ok',
        'what was granted goes on',
      );
      t.equal((await tcp('203.0.200.7')).result, 'ECONNREFUSED');
      let kinds: readonly string[] = [];
      await until(
        async () => {
          const list = await api(folder, 'GET', '/v1/findings?limit=1000');
          const { findings } = list as unknown as { findings: readonly { kind: string }[] };
          kinds = [...new Set(findings.map(({ kind }) => kind))].sort();
          return kinds.includes('enforce-rules');
        },
        () => kinds.join(),
      );
      t.same(
        kinds,
        ['direct-address', 'enforce-rules', 'grant-limit', 'grant-missing'],
        'the feed has what went wrong',
      );
    });

    await t.test('metrics of the firewall', async (t) => {
      const ask = "fetch('http://127.0.0.1:9153/metrics').then((r) => r.text()).then(console.log)";
      const text = await must([process.execPath, '-e', ask], { namespace: host });
      const value = (name: string): number =>
        Number(
          text
            .split('\n')
            .find((line) => line.startsWith(`${name} `))
            ?.slice(name.length),
        );
      t.equal(value('namegate_enforce_up'), 1);
      t.equal(value('namegate_enforce_rules_changed_total'), 1, 'flushed');
      t.ok(value('namegate_grants') >= 2, 'since the server was started anew');
      t.ok(value('namegate_granted_clients') >= 1);
      t.ok(value('namegate_enforce_oldest_seconds') >= 0);
      t.ok(value('namegate_refused_packets_total{told="yes"}') >= 1);
      t.ok(value('namegate_refused_packets_total{told="no"}') >= 0);
      t.equal(value('namegate_ungranted_answers_total{finding="grant-limit"}'), 0);
      t.equal((await dns('n8.lab.example')).result, 'ok');
      const element = `{ ${JOB} . ${address(8)} . tcp . 443 }`;
      const held = await must(['nft', 'get', 'element', 'inet', 'namegate', 'grants4', element], {
        namespace: host,
      });
      t.match(held, / timeout 2m expires (?:2m|1m)/, 'a TTL of 60 seconds, and 60 more');
    });

    await t.test('the doctor of the host', async (t) => {
      const file = join(folder, 'namegate.yaml');
      const stub = join(folder, 'resolv.conf');
      writeFileSync(stub, `nameserver ${DNS}\n`);
      const doctor = async (): Promise<string> => {
        const command = [process.execPath, main, 'doctor', '--json', '--config', file, '--resolv-conf', stub];
        const { stdout } = await run(command, { namespace: host });
        const { findings } = JSON.parse(stdout) as { findings: Record<string, string>[] };
        const own = findings.filter(({ check }) => check === 'firewall');
        return own.map(({ status, message }) => `${status} ${message}`).join('\n');
      };
      t.match(await doctor(), /^ok .* listens on .*\nok the rules of the firewall are as they were written$/);
      here.enforcer.kill('SIGKILL');
      await until(() => here.enforcer.ended(), here.enforcer.log);
      await must(['nft', 'insert', 'rule', 'inet', 'namegate', 'judge', 'accept'], { namespace: host });
      t.match(
        await doctor(),
        /^bad nobody keeps the firewall.*\nbad the rules .* are not those of the server file/,
      );
      await must(['nft', 'delete', 'table', 'inet', 'namegate'], { namespace: host });
      t.match(await doctor(), /\nbad the rules of the firewall are gone/);
    });

    await t.test('without the right to it says so', async (t) => {
      const config = join(folder, 'namegate.yaml');
      for (const how of [['--check'], []]) {
        const command = [process.execPath, main, 'enforce', ...how, '--config', config];
        const { code, stdout, stderr } = await run(['setpriv', '--bounding-set', '-net_admin', ...command], {
          namespace: host,
        });
        t.equal(code, 1);
        t.match(stdout + stderr, /rights: this needs CAP_NET_ADMIN/);
        t.equal((stdout + stderr).trim().split('\n').length, 1, 'in one line');
      }
    });

    await t.test('nobody else reaches the socket', async (t) => {
      const script = `require('node:net').connect('${join(folder, 'enforce.sock')}').on('error', (e) => console.log(e.code)).on('connect', () => console.log('open'))`;
      const as = await run(['setpriv', '--reuid', '65534', '--clear-groups', process.execPath, '-e', script]);
      t.match(as.stdout, /EACCES/);
    });
  },
);
