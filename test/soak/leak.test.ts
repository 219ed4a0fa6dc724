import t from 'tap';

/** The leak oracle of test/server, for two minutes and with a seed of its own. */

process.env['NAMEGATE_LEAK_SECONDS'] ??= '120';
process.env['NAMEGATE_TEST_SEED'] ??= String(Date.now() % 1_000_000_000);
t.comment(`NAMEGATE_TEST_SEED=${process.env['NAMEGATE_TEST_SEED']}`);
t.setTimeout(600_000);

await import('../server/leak.test.ts');
