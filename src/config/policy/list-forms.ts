/** A list in the form of another program, recognised as a whole: one advice, and not one a line. */
export interface ListForm {
  /** What it is, as `the list is …` says it. */
  readonly what: string;
  /** The first line that has this form, from 1. */
  readonly line: number;
  /** A shell command that writes the names of the file `$F` to standard output; null where only a person can. */
  readonly command: string | null;
  /** What to do where there is no command, or beside it. */
  readonly advice: string;
}

interface Kind {
  readonly what: string;
  readonly line: RegExp;
  readonly command: string | null;
  readonly advice: string;
}

const NAMES_APPROVED = 'and check that each name is to be approved';
const BLOCKED = 'and mind that such lists say what to block, while this one says what to approve';

/** In this order: a line counts for the first kind that it fits. Commands are POSIX sh, awk and sed. */
const KINDS: readonly Kind[] = [
  {
    what: 'an Adblock filter list',
    line: /^(\|\||@@\|\||!|\[Adblock|##)/i,
    command: `awk -F '[|^$/]+' '/^(@@)?[|][|][A-Za-z0-9._-]+[\\^$\\/]?/ { print $2; print "**." $2 }' $F`,
    advice: BLOCKED,
  },
  {
    what: 'a dnsmasq configuration',
    line: /^(address|server|local|ipset|nftset|cname|host-record|domain-needed|bogus-priv|rebind-domain-ok)(=|$)/,
    command: `awk -F / '/^(address|server|local)=\\// { for (i = 2; i < NF; i++) if ($i != "") { print $i; print "**." $i } }' $F`,
    advice: NAMES_APPROVED,
  },
  {
    what: 'an Unbound or BIND configuration',
    line: /^(server:|local-zone:|local-data:|forward-zone:|stub-zone:|zone\s+")/,
    command: `awk -F '"' '/^[ \\t]*(local-zone:|zone[ \\t])/ { sub(/[.]$/, "", $2); print $2; print "**." $2 }' $F`,
    advice: NAMES_APPROVED,
  },
  {
    what: 'a zone file or response policy zone (RPZ)',
    line: /^(\$(TTL|ORIGIN)\b|;|[()]$|\d+\s*;|\S+\s+((\d+[smhdw]?|IN)\s+)*(SOA|NS|CNAME|A|AAAA|TXT|MX)\s+\S)/i,
    command: `awk '$1 !~ /rpz-|^@|^;|^[$]/ { for (i = 2; i <= 4 && i < NF; i++) if (toupper($i) ~ /^(CNAME|A|AAAA|TXT|MX)$/) { sub(/[.]$/, "", $1); sub(/^[*][.]/, "**.", $1); print $1; break } }' $F | sort -u`,
    advice: BLOCKED,
  },
  {
    what: 'a hosts file',
    line: /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+(%\w+)?)\s+[^\s,;]+/i,
    command: `awk '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) if ($i !~ /^(localhost|localhost.localdomain|ip6-.*|broadcasthost|local|0.0.0.0)$/) print $i }' $F | sort -u`,
    advice: NAMES_APPROVED,
  },
  {
    what: 'a list of URLs',
    line: /^[a-z][a-z0-9+.-]*:\/\/[^\s,;"']+$/i,
    command: `sed -E -e '/^[A-Za-z][A-Za-z0-9+.-]*:.[/]/!d' -e 's#^[A-Za-z][A-Za-z0-9+.-]*:/[/]##' -e 's#[/?].*##' -e 's#^.*@##' -e 's#:[0-9]*$##' $F | sort -u`,
    advice: NAMES_APPROVED,
  },
  {
    what: 'a list of addresses',
    line: /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)(\/\d{1,3})?$/i,
    command: null,
    advice: 'write the names that clients ask for; addresses of clients stand under from.addresses',
  },
  {
    what: 'a web page (HTML), perhaps an error in place of a download',
    line: /^<(!doctype|!--|\/?(html|head|body|title|meta|script|h1|p|pre|center|hr|div)\b)/i,
    command: null,
    advice: 'download the list itself, with one name a line',
  },
  {
    what: 'JSON',
    line: /^([[\]{}],?$|[[{]\s*["{[]|"[^"]*"\s*:)/,
    command: null,
    advice: 'write one name a line, without quotes, commas and brackets',
  },
  {
    what: 'YAML or Markdown',
    line: /^(-\s+\S|---$|[\w-]+:(\s|$))/,
    command: `sed -n -E "s/^[ ]*-[ ]+[\\"'\\\`]?([A-Za-z0-9_.*{}-]+)[\\"'\\\`]?[ ]*(#.*)?$/\\\\1/p" $F`,
    advice: NAMES_APPROVED,
  },
  {
    what: 'a list of names with leading dots, as proxies have it',
    line: /^\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
    command: `awk '/^[ \\t]*[.]/ { sub(/^[ \\t]*[.]/, ""); print; print "**." $0; next } { print }' $F`,
    advice: NAMES_APPROVED,
  },
  {
    what: 'a list of regular expressions',
    // A backslash escapes in names too: it tells a regular expression before a letter, and where it stands before every dot.
    line: /^([^\s,;"']*([\^$()|+?]|\.\*|\[|\\[a-z])[^\s,;"']*|[^\s,;"'.\\]+(\\\.[^\s,;"'.\\]+)+)$/i,
    command: null,
    advice: 'write the names, one a line, or **.example.com for all names under example.com',
  },
  {
    what: 'a list of names with ports',
    line: /^[A-Za-z0-9_.-]+:\d{1,5}$/,
    command: `sed -E 's/:[0-9]+[ \\t]*$//' $F | sort -u`,
    advice: NAMES_APPROVED,
  },
];

/** Content lines that are looked at, and the part of them that must have a foreign form. */
const SAMPLE = 200;

/** The foreign form that most lines of a list have, or null. Never a list that has a name of ours in most lines. */
export function foreignForm(text: string): ListForm | null {
  const counts = new Map<Kind, { count: number; line: number }>();
  let seen = 0;
  let number = 0;
  const rows: { readonly cells: readonly string[]; readonly separator: string; readonly line: number }[] = [];
  for (const raw of firstLines(text)) {
    number++;
    const line = raw.replace(/\s#.*$|^#.*$/, '').trim();
    if (line === '') continue;
    if (line.startsWith('-----BEGIN ')) return { ...PEM, line: number };
    if (/^(<{7}|\|{7}|={7}|>{7})(\s|$)/.test(line)) return { ...CONFLICT, line: number };
    seen++;
    const kind = KINDS.find((one) => one.line.test(line));
    if (kind !== undefined) {
      const known = counts.get(kind) ?? { count: 0, line: number };
      counts.set(kind, { ...known, count: known.count + 1 });
    }
    const separator = /[,;\t]|\s+/.exec(line)?.[0];
    if (separator !== undefined) {
      const by = /^\s+$/.test(separator) && separator !== '\t' ? ' ' : separator;
      rows.push({ cells: by === ' ' ? line.split(/\s+/) : line.split(by), separator: by, line: number });
    }
  }
  const [most] = [...counts].sort(([, a], [, b]) => b.count - a.count);
  if (most !== undefined && most[1].count * 2 > seen) {
    const [{ what, command, advice }, { line }] = most;
    return { what, line, command: command === null ? null : withoutReturns(command, text), advice };
  }
  return rows.length * 2 > seen ? table(rows) : null;
}

/** Lines that end in CR LF end in LF before a command of Unix sees them. */
function withoutReturns(command: string, text: string): string {
  return text.includes('\r') ? `tr -d '\\r' < $F | ${command.replace(' $F', '')}` : command;
}

const PEM: Omit<ListForm, 'line'> = {
  what: 'a certificate or key (PEM)',
  command: null,
  advice: 'name a text file that holds one name a line, and move what is secret out of the policy',
};

const CONFLICT: Omit<ListForm, 'line'> = {
  what: 'in the middle of a git merge',
  command: null,
  advice: 'keep the lines that are meant, and delete the marks <<<<<<<, ======= and >>>>>>>',
};

/** Lines of several cells: columns of which one holds names, or several names a line. */
function table(
  rows: readonly { readonly cells: readonly string[]; readonly separator: string; readonly line: number }[],
): ListForm | null {
  const { separator, line } = rows[rows.length - 1]!;
  const first = rows[0]!.line;
  const same = rows.filter((row) => row.separator === separator);
  const isName = (cell: string | undefined): boolean =>
    /^["']?(\*{1,2}\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\.?["']?$/.test((cell ?? '').trim());
  const width = Math.max(...same.map(({ cells }) => cells.length));
  // A head without names counts for nothing, or it would outweigh a line.
  const rest = same.slice(same[0]!.cells.some(isName) ? 0 : 1);
  const columns = Array.from(
    { length: width },
    (_, i) => rest.filter(({ cells }) => isName(cells[i])).length,
  );
  const good = columns.filter((count) => count * 2 > rest.length).length;
  const words = `tr -d '"\\r' < $F | awk '{ sub(/#.*/, ""); gsub(/[,;\\t ]+/, "\\n"); print }' | grep -v '^$'`;
  // Every cell is a name: they stand side by side, or each has a comma behind it.
  const alike = same.every(({ cells }) => cells.every((cell) => cell.trim() === '' || isName(cell)));
  if (alike)
    return {
      what: 'several names a line, or names with commas',
      line: first,
      command: words,
      advice: NAMES_APPROVED,
    };
  if (good === 0) return null;
  const column = columns.indexOf(Math.max(...columns)) + 1;
  const by = separator === ' ' ? '' : separator === '\t' ? `-F '\\t' ` : `-F '${separator}' `;
  const command = `tr -d '"\\r' < $F | awk ${by}'$${column} ~ /^ *([*]+[.])?[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)+ *$/ { gsub(/ /, "", $${column}); print $${column} }'`;
  return {
    what: `a table (CSV) with names in column ${column}`,
    line: line > first ? first : line,
    command,
    advice: NAMES_APPROVED,
  };
}

function* firstLines(text: string): Generator<string> {
  for (let start = 0, count = 0; start < text.length && count < SAMPLE * 5; count++) {
    const end = text.indexOf('\n', start);
    yield text.slice(start, end < 0 ? text.length : end).replace(/\r$/, '');
    if (end < 0) return;
    start = end + 1;
  }
}

/** Whether a list has no line but blank ones and comments. */
export function isEmptyList(text: string): boolean {
  return !/^[ \t]*[^\s#]/m.test(text);
}
