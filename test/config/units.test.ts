import t from 'tap';
import { TextFault } from '../../src/config/problems.ts';
import { FORM, parseDuration, parseSize, parseTime } from '../../src/config/units.ts';

/** A number, or `code fix`. */
function told(value: number | TextFault): number | string {
  return value instanceof TextFault ? `${value.code} ${value.fix}` : value;
}

t.test('durations are integers with a unit', async (t) => {
  const cases: [text: string, wanted: number | string][] = [
    ['0s', 0],
    ['1ms', 1],
    ['300s', 300_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['2147483647s', 2_147_483_647_000],
    ['2147483648s', 'value-range write at most 2147483647s'],
    ['99999999999999999999999d', 'value-range write at most 2147483647s'],
    ['300', 'duration-form write 300s'],
    ['5 min', 'duration-form write 5m'],
    ['1 Hour', 'duration-form write 1h'],
    ['2Days', 'duration-form write 2d'],
    ['05s', 'duration-form write 5s'],
    ['1w', 'duration-form write an integer with ms, s, m, h or d, such as 300s'],
    ['1.5h', 'duration-form write an integer with ms, s, m, h or d, such as 300s'],
    ['-1s', 'duration-form write an integer with ms, s, m, h or d, such as 300s'],
    ['', 'duration-form write an integer with ms, s, m, h or d, such as 300s'],
    ['1h30m', 'duration-form write an integer with ms, s, m, h or d, such as 300s'],
  ];
  for (const [text, wanted] of cases) {
    const value = parseDuration(text);
    t.equal(told(value), wanted, text);
    if (typeof value === 'number') t.match(text, new RegExp(FORM.duration), 'editors accept it');
    else if (value.code === 'duration-form') t.notMatch(text, new RegExp(FORM.duration), 'editors mark it');
  }
});

t.test('sizes are integers with a binary unit', async (t) => {
  const cases: [text: string, wanted: number | string][] = [
    ['0B', 0],
    ['512B', 512],
    ['64KiB', 65_536],
    ['64MiB', 67_108_864],
    ['2GiB', 2_147_483_648],
    ['1024GiB', 2 ** 40],
    ['1025GiB', 'value-range write less'],
    ['64MB', 'size-form write 64MiB'],
    ['64 mb', 'size-form write 64MiB'],
    ['1k', 'size-form write 1KiB'],
    ['4096', 'size-form write 4096B'],
    ['064MiB', 'size-form write 64MiB'],
    ['1TiB', 'size-form write an integer with B, KiB, MiB or GiB, such as 64MiB'],
    ['1.5GiB', 'size-form write an integer with B, KiB, MiB or GiB, such as 64MiB'],
  ];
  for (const [text, wanted] of cases) {
    const value = parseSize(text);
    t.equal(told(value), wanted, text);
    if (typeof value === 'number') t.match(text, new RegExp(FORM.size));
    else if (value.code === 'size-form') t.notMatch(text, new RegExp(FORM.size));
  }
});

t.test('times have a zone, and a date is the start of its day in UTC', async (t) => {
  const day = Date.UTC(2027, 2, 31) / 1000;
  const cases: [text: string, wanted: number | string][] = [
    ['2027-03-31', day],
    ['2027-03-31T00:00:00Z', day],
    ['2027-03-31t00:00:00z', day],
    ['2027-03-31T00:00Z', day],
    ['2027-03-31T18:00:00.999Z', day + 18 * 3600],
    ['2027-03-31T18:00:00+01:00', day + 17 * 3600],
    ['2027-03-31T18:00:00-0530', day + 23.5 * 3600],
    ['1970-01-01', 0],
    ['2106-02-07T06:28:14Z', 0xffff_fffe],
    ['2106-02-07T06:28:15Z', 'value-range write a time between these'],
    ['1969-12-31T23:59:59Z', 'value-range write a time between these'],
    ['2027-03-31T18:00:00', 'time-form write 2027-03-31T18:00:00Z if it is UTC'],
    ['2027-03-31 18:00:00Z', 'time-form write 2027-03-31T18:00:00Z'],
  ];
  for (const [text, wanted] of cases) t.equal(told(parseTime(text)), wanted, text);
  const none = [
    '2027-02-29',
    '2027-13-01',
    '2027-00-10',
    '2027-04-31',
    '2027-3-31',
    '31.03.2027',
    'tomorrow',
    '',
  ];
  const noTime = [
    '2027-03-31T24:00:00Z',
    '2027-03-31T23:60:00Z',
    '2027-03-31T23:59:60Z',
    '2027-03-31T10:00:00+25:00',
  ];
  for (const text of [...none, ...noTime]) t.match(told(parseTime(text)), /^time-form /, text);
  t.equal(parseTime('2028-02-29'), Date.UTC(2028, 1, 29) / 1000, 'a leap day');
});

t.test('what editors accept as a time is what is read, but for the calendar', async (t) => {
  for (const text of ['2027-03-31', '2027-03-31T18:00Z', '2027-03-31T18:00:00.5+01:00']) {
    t.match(text, new RegExp(FORM.time));
    t.type(parseTime(text), 'number');
  }
  for (const text of ['2027-03-31T18:00', '2027-03-31 18:00Z', '2027']) {
    t.notMatch(text, new RegExp(FORM.time));
    t.type(parseTime(text), TextFault);
  }
});
